"""Videos as phones, browsers and recorders leave them: times, ends, damage."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError
from vitron_ros.recordings.sources import open_source

STEADY_MS = [40 * index for index in range(50)]


def picture(index: int) -> np.ndarray:
    """Noise, so that every image takes about as many bytes."""
    return np.random.default_rng(index).integers(0, 256, (12, 16, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def write_video(path, times_ms, *, codec="libx264", audio_s=0.0, rate=25, **options):
    """A video with its frames at these times, and silence of `audio_s` beside it. Options are the container's."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = None
        if audio_s:
            sound = container.add_stream("aac" if path.suffix == ".mp4" else "libopus", rate=48000)
            sound.layout = "mono"
        for index, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for index in range(int(audio_s * 50)):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.pts = 48000, 960 * index
                container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


def read(path):
    """Times of the frames after the first, ms, the images left out, and what was said at the end."""
    bad, times_ms, said = {}, [], ""
    try:
        for frame in open_source(str(path), on_bad=bad.__setitem__):
            times_ms.append(round((frame.stamp_ns - SECOND_NS) / 1e6))
    except SourceError as error:
        said = str(error)
    return times_ms, bad, said


VIDEOS = {
    "with longer sound, mkv": ("a.mkv", STEADY_MS, {"audio_s": 6}),
    "with longer sound, mp4": ("a.mp4", STEADY_MS, {"audio_s": 6}),
    "with longer sound, webm": ("a.webm", STEADY_MS, {"audio_s": 6, "codec": "libvpx"}),
    "of varying rate": ("a.mp4", [33 * i for i in range(20)] + [660 + 200 * i for i in range(10)], {"rate": 30}),
    "of a browser": ("a.webm", [33 * i + i % 3 * 2 for i in range(50)], {"codec": "libvpx", "rate": 1000, "live": "1"}),
    "of a time lapse": ("a.mp4", [5000 * i for i in range(8)], {"rate": Fraction(1, 5)}),
    "in fragments": ("a.mp4", STEADY_MS, {"movflags": "frag_keyframe+empty_moov"}),
    "in a stream": ("a.ts", STEADY_MS, {}),
    "in an old container": ("a.avi", STEADY_MS, {"codec": "mpeg4"}),
    "without times": ("a.h264", STEADY_MS, {}),
    "that begins late": ("a.mkv", [7000 + time for time in STEADY_MS], {}),
}


@pytest.mark.parametrize(("name", "times_ms", "how"), VIDEOS.values(), ids=VIDEOS.keys())
def test_a_whole_video_has_its_frames_at_their_times(tmp_path, name, times_ms, how):
    found_ms, bad, said = read(write_video(tmp_path / name, times_ms, **how))
    assert (bad, said) == ({}, "")
    assert len(found_ms) == len(times_ms)
    assert np.abs(np.array(found_ms) - (np.array(times_ms) - times_ms[0])).max() <= 1


CUTS = {
    "mp4": ("a.mp4", {"movflags": "+faststart"}),
    "mp4 with sound": ("a.mp4", {"movflags": "+faststart", "audio_s": 2}),
    "mp4 in fragments": ("a.mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "mkv": ("a.mkv", {}),
    "webm": ("a.webm", {"codec": "libvpx"}),
    "avi": ("a.avi", {"codec": "mpeg4"}),
}


@pytest.mark.parametrize(("name", "how"), CUTS.values(), ids=CUTS.keys())
def test_a_video_that_is_cut_off_says_so_after_what_it_has(tmp_path, name, how):
    path = write_video(tmp_path / name, STEADY_MS, **how)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 4 // 10])
    times_ms, _, said = read(path)
    assert 5 < len(times_ms) < 40
    assert "breaks off after" in said


def test_frames_that_are_damaged_are_left_out_and_counted_and_the_others_keep_their_times(tmp_path):
    path = write_video(tmp_path / "a.mp4", STEADY_MS, movflags="+faststart")
    data = bytearray(path.read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 200] = b"U" * 200
    path.write_bytes(data)
    times_ms, bad, said = read(path)
    assert bad
    assert len(times_ms) + len(bad) == len(STEADY_MS)
    assert (times_ms[-1], said) == (STEADY_MS[-1], "")
    assert all(str(error) for error in bad.values())


def test_a_clock_that_goes_back_goes_on_from_there(tmp_path):
    parts = [write_video(tmp_path / f"{index}.ts", STEADY_MS) for index in range(2)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    times_ms, _, _ = read(joined)
    assert len(times_ms) == 2 * len(STEADY_MS)
    assert set(np.diff(times_ms).tolist()) == {40}


def test_a_video_without_its_index_is_refused_in_the_words_of_the_demuxer(tmp_path):
    path = write_video(tmp_path / "a.mp4", STEADY_MS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"not a readable video \(moov atom not found\)"):
        open_source(str(path))


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        sound.layout = "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 48000, 0
        container.mux([*sound.encode(silence), *sound.encode(None)])
    with pytest.raises(SourceError, match="holds no pictures, only audio"):
        open_source(str(tmp_path / "a.mp4"))


def test_text_is_no_video(tmp_path):
    (tmp_path / "notes.nfo").write_text("a line\n" * 500)
    with pytest.raises(SourceError, match="holds no pictures, only text"):
        open_source(str(tmp_path / "notes.nfo"))


@pytest.mark.parametrize("name", ["10:30 o'clock.mp4", "100%d.mp4", "-.mp4"])
def test_a_name_is_a_path_whatever_it_looks_like(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4", STEADY_MS).rename(name)
    assert len(list(open_source(name))) == len(STEADY_MS)
