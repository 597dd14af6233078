"""The diagram that all clients work on: a start by message, service tasks one after another, an end."""

from collections.abc import Sequence

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Bench" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:message id="Message_Start" name="{name}" />
  <bpmn:process id="{name}" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_0</bpmn:outgoing>
      <bpmn:messageEventDefinition id="Definition_Start" messageRef="Message_Start" /></bpmn:startEvent>
"""
_TASK = """    <bpmn:sequenceFlow id="Flow_{before}" sourceRef="{source}" targetRef="Task_{number}" />
    <bpmn:serviceTask id="Task_{number}">
      <bpmn:extensionElements><zeebe:taskDefinition type="{task_type}" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_{before}</bpmn:incoming><bpmn:outgoing>Flow_{number}</bpmn:outgoing></bpmn:serviceTask>
"""
_TAIL = """    <bpmn:sequenceFlow id="Flow_{last}" sourceRef="Task_{last}" targetRef="Event_End" />
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_{last}</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


def diagram(name: str, task_types: Sequence[str]) -> bytes:
    """Return BPMN: process id and message are *name*, the elements of *task_types* Task_1, Task_2 ..."""
    tasks = [
        _TASK.format(
            number=number, before=number - 1, task_type=task_type,
            source="Event_Start" if number == 1 else f"Task_{number - 1}",
        )
        for number, task_type in enumerate(task_types, start=1)
    ]  # fmt: skip
    return "".join([_HEAD.format(name=name), *tasks, _TAIL.format(last=len(tasks))]).encode()
