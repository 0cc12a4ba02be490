import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """For so small a model a second thread is slower: it spins while it waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The directory of a tiny pipeline, saved once."""
    pytest.importorskip("diffusers")
    from tests.modules.backends.tiny_pipelines import save_pipeline

    folder = tmp_path_factory.mktemp("pipelines")
    return lambda name: folder / name if (folder / name).exists() else save_pipeline(name, folder / name)
