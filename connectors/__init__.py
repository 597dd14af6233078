"""One folder per outside system, named as the vendor names itself."""
