"""A pass over a collection on a Milvus server, through two connections."""

from pathlib import Path
from uuid import uuid4

from clipsearch.images.hashing import image_id
from clipsearch.session import open_store
from ingest.ocr.options import ReadOptions
from ingest.ocr.run import read_images
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.sources.source import open_source
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.texts import ColorReader


def test_texts_on_a_server_follow_their_images(milvus_server: str, tmp_path: Path) -> None:
    name = f"test_{uuid4().hex[:12]}"
    for number in range(70):
        draw(tmp_path / f"{number}.png", (number, 9, 9), size=(4, 4))
    encoder, reader = ColorEncoder(), ColorReader()
    with (
        open_store(milvus_server, consistency="strong") as store,
        open_store(milvus_server, consistency="strong") as other,
    ):
        try:
            images = store.create(name, encoder.identity)
            ingest(open_source([tmp_path]), images, encoder, IngestOptions())

            def read() -> tuple[int, int, int]:
                options = ReadOptions(min_textness=0)
                report = read_images(lambda: other.collection(name), reader, [], options, None)
                return report.read, report.copied, report.unchanged

            assert read() == (70, 0, 0)
            (tmp_path / "3.png").rename(tmp_path / "moved.png")
            (tmp_path / "4.png").unlink()
            draw(tmp_path / "5.png", (200, 200, 200))
            ingest(open_source([tmp_path]), images, encoder, IngestOptions(prune=True))
            texts = {text.id: text.text.text for text in images.texts.scan()}
            assert texts[image_id(tmp_path / "moved.png")] == "3 9 9"
            assert len(texts) == 68
            assert read() == (1, 0, 68)
        finally:
            store.drop(name)
        assert not [stored for stored in store.backend.collection_names() if name in stored]
