"""Waggle runs a shop's purchase and remarketing journeys: BPMN diagrams on Zeebe, each task a Python worker."""
