"""The test kit: real servers for one test run, fakes with memory."""
