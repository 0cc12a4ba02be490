"""The model's answers as messages. Nothing here decides anything."""

from collections.abc import Mapping

import numpy as np
from std_msgs.msg import Header
from vitron_msgs.action import Converse
from vitron_msgs.msg import Invocation as InvocationMsg
from vitron_msgs.msg import Track as TrackMsg

from vitron_ros.boxes import Boxes, iou, xyxy_from_norm
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus
from vitron_ros.region import Region
from vitron_ros.ros.conversions import header_of, region_message

ERROR_CODES = {
    ReplyStatus.OK: Converse.Result.NONE,
    ReplyStatus.ABSENT: Converse.Result.NONE,
    ReplyStatus.UNSURE: Converse.Result.UNSURE,
    ReplyStatus.UNKNOWN: Converse.Result.NOT_UNDERSTOOD,
    ReplyStatus.REFUSED: Converse.Result.REFUSED,
    ReplyStatus.REJECTED: Converse.Result.REJECTED,
    ReplyStatus.UNREADABLE: Converse.Result.MODEL_ERROR,
    ReplyStatus.DEADLINE: Converse.Result.TIMEOUT,
    ReplyStatus.CANCELLED: Converse.Result.CANCELED,
    ReplyStatus.FAILED: Converse.Result.MODEL_ERROR,
}
SAME_IOU = 0.5  # of a box that the model names and a target, to be that target


def answer_message(
    request: ModelRequest, reply: ModelReply, conversation_id: str, seen: Mapping[int, Boxes]
) -> Converse.Result:
    """The result of a question that the model has been asked.

    Args:
        seen: box (4,) px of every target that was seen in the newest image of the question, by its id.
    """
    frame = request.frames[-1]
    return Converse.Result(
        error_code=ERROR_CODES[reply.status],
        error_msg=reply.message,
        reply=reply.text,
        score=reply.score,
        conversation_id=conversation_id,
        header=header_of(frame),
        grounded=[_grounded(header_of(frame), item.label, item.box_xyxy, reply.score, seen) for item in reply.grounded],
        invocations=_invocations(request, reply, frame, seen),
    )


def _grounded(header: Header, label: str, box_xyxy: Boxes, score: float, seen: Mapping[int, Boxes]) -> TrackMsg:
    box, track_id = box_xyxy.astype(np.float32), _target(box_xyxy, seen)
    return TrackMsg(id=track_id, label=label, state=TrackMsg.TRACKED, box=box, score=score, grounded=header.stamp)


def _target(box_xyxy: Boxes, seen: Mapping[int, Boxes]) -> int:
    """The id of the target at a place; 0: none is there."""
    overlaps = {track_id: float(iou(box, box_xyxy)) for track_id, box in seen.items()}
    best = max(overlaps, key=overlaps.__getitem__, default=0)
    return best if best and overlaps[best] >= SAME_IOU else 0


def _invocations(
    request: ModelRequest, reply: ModelReply, frame: Frame, seen: Mapping[int, Boxes]
) -> list[InvocationMsg]:
    if reply.invocation is None:
        return []
    invocation = reply.invocation
    regions, track_id = [], 0
    if invocation.region is not None:
        box = xyxy_from_norm(np.array(invocation.region), frame.width, frame.height)
        regions.append(region_message(Region.from_box(box)))
        track_id = _target(box, seen)
    return [
        InvocationMsg(
            header=header_of(frame),
            camera=frame.camera,
            request_id=request.id,
            module=int(invocation.module),
            instructions=list(invocation.instructions),
            region=regions,
            track_id=track_id,
            reply=reply.text,
            score=reply.score,
        )
    ]
