"""The model's answers as messages. Nothing here decides anything."""

import numpy as np
from std_msgs.msg import Header
from vitron_msgs.action import Converse
from vitron_msgs.msg import Invocation as InvocationMsg
from vitron_msgs.msg import Track as TrackMsg

from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, Status
from vitron_ros.region import Region
from vitron_ros.ros.conversions import header_of, region_message

OUTCOMES = {
    Status.OK: Converse.Result.OK,
    Status.ABSENT: Converse.Result.OK,
    Status.UNKNOWN: Converse.Result.NOT_UNDERSTOOD,
    Status.UNREADABLE: Converse.Result.MODEL_ERROR,
    Status.DEADLINE: Converse.Result.TIMEOUT,
    Status.CANCELLED: Converse.Result.CANCELED,
    Status.FAILED: Converse.Result.MODEL_ERROR,
}


def answer_message(request: ModelRequest, reply: ModelReply, conversation_id: str) -> Converse.Result:
    """The result of a question that the model has been asked."""
    frame = request.frames[-1]
    outcome = OUTCOMES[reply.status]
    return Converse.Result(
        outcome=outcome,
        message="" if outcome == Converse.Result.OK else reply.message,
        reply=reply.text,
        conversation_id=conversation_id,
        header=header_of(frame),
        grounded=[_grounded(header_of(frame), item.label, item.box_xyxy, reply.score) for item in reply.grounded],
        invocations=_invocations(request, reply, frame),
    )


def _grounded(header: Header, label: str, box_xyxy: "np.ndarray", score: float) -> TrackMsg:
    box = box_xyxy.astype(np.float32)
    return TrackMsg(id=0, label=label, state=TrackMsg.TRACKED, box=box, score=score, grounded=header.stamp)


def _invocations(request: ModelRequest, reply: ModelReply, frame: Frame) -> list[InvocationMsg]:
    if reply.invocation is None:
        return []
    invocation = reply.invocation
    regions = []
    if invocation.region is not None:
        box = xyxy_from_norm(np.array(invocation.region), frame.width, frame.height)
        regions.append(region_message(Region.from_box(box)))
    return [
        InvocationMsg(
            header=header_of(frame),
            camera=frame.camera,
            request_id=request.id,
            module=int(invocation.module),
            instructions=list(invocation.instructions),
            region=regions,
            reply=reply.text,
        )
    ]
