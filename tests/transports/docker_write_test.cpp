#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/transports/registry.h"

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

const std::string kType(oci::kImageManifest);
const std::string kLayer(oci::kImageLayer);

oci::Descriptor write_blob(Writer& writer, const std::string& bytes, const BlobHint& hint) {
  const auto blob = writer.start_blob(hint);
  StringSource source(bytes);
  pump(source, *blob);
  blob->finish();
  return blob->commit(kLayer);
}

TEST(DockerWriter, SendsASmallBlobByOnePut) {
  DockerRoom room;
  const std::string bytes = noise(1000);
  EXPECT_EQ(write_blob(*room.writer(), bytes, {}), oci::describe(kLayer, bytes));
  EXPECT_EQ(room.registry.blob("test/image", sha256_of(bytes)), bytes);
  EXPECT_EQ(room.registry.count("PATCH", ""), 0U);
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, StreamsALargeBlobOfKnownDigestByOnePut) {
  DockerRoom room;
  const std::string bytes = noise(9'000'000);
  const auto expected = oci::describe(kLayer, bytes);
  EXPECT_EQ(write_blob(*room.writer(), bytes, {.expected = expected}), expected);
  EXPECT_EQ(room.registry.blob("test/image", expected.digest), bytes);
  EXPECT_EQ(room.registry.count("PATCH", ""), 0U);
  EXPECT_EQ(room.registry.count("POST", ""), 1U);
}

TEST(DockerWriter, StreamsALargeBlobOfUnknownDigestByOnePatch) {
  DockerRoom room;
  const std::string bytes = noise(9'000'000);
  EXPECT_EQ(write_blob(*room.writer(), bytes, {}), oci::describe(kLayer, bytes));
  EXPECT_EQ(room.registry.blob("test/image", sha256_of(bytes)), bytes);
  EXPECT_EQ(room.registry.count("PATCH", ""), 1U);
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, CancelsTheUploadOfADroppedBlob) {
  DockerRoom room;
  const auto writer = room.writer();
  {
    const auto blob = writer->start_blob({});
    const std::string bytes = noise(5'000'000);
    blob->write(bytes_of(bytes));
    EXPECT_EQ(room.registry.open_uploads(), 1U);
  }
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, CancelsTheUploadEvenWhenTheSessionIsStopped) {
  std::stop_source stop;
  SessionOptions options;
  options.stop = stop.get_token();
  DockerRoom room({}, options);
  const auto writer = room.writer();
  {
    const auto blob = writer->start_blob({});
    const std::string bytes = noise(5'000'000);
    blob->write(bytes_of(bytes));
    stop.request_stop();
    EXPECT_THROW((void)blob->commit(kLayer), Cancelled);
  }
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, WritesManyBlobsAtOnce) {
  DockerRoom room;
  const auto writer = room.writer();
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] { (void)write_blob(*writer, noise(2'000'000, i), {}); });
    }
  }
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(room.registry.blob("test/image", sha256_of(noise(2'000'000, i))));
  }
}

TEST(DockerWriter, PutsDocumentsByDigestAndByTag) {
  DockerRoom room;
  const std::string raw = manifest_text();
  const auto descriptor = oci::describe(kType, raw);
  const auto writer = room.writer("test/image:own");
  EXPECT_FALSE(writer->contains(descriptor));
  writer->put_manifest(descriptor, raw);
  EXPECT_TRUE(writer->contains(descriptor));
  writer->tag(Tag{"v1"}, descriptor);
  writer->tag(Tag{}, descriptor);
  EXPECT_EQ(room.registry.manifest("test/image", "v1")->raw, raw);
  EXPECT_EQ(room.registry.manifest("test/image", "own")->media_type, kType);
  EXPECT_EQ(room.registry.count("GET", "/manifests/"), 0U);
}

TEST(DockerWriter, TagsADocumentThatItDidNotWrite) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "old", kType, raw);
  room.writer()->tag(Tag{"new"}, oci::describe(kType, raw));
  EXPECT_EQ(room.registry.manifest("test/image", "new")->raw, raw);
}

TEST(DockerWriter, ANameByDigestTakesOnlyThatDocument) {
  DockerRoom room;
  const std::string raw = manifest_text();
  const std::string other = manifest_text("other");
  const auto writer = room.writer(cat("test/image@", sha256_of(raw).str()));
  writer->put_manifest(oci::describe(kType, raw), raw);
  writer->tag(Tag{}, oci::describe(kType, raw));
  writer->put_manifest(oci::describe(kType, other), other);
  EXPECT_EQ(code_of([&] { writer->tag(Tag{}, oci::describe(kType, other)); }),
            Errc::digest_mismatch);
}

TEST(DockerWriter, MountsFromAnotherRepository) {
  DockerRoom room;
  const std::string bytes = noise(1000);
  room.registry.put_blob("other/image", bytes);
  const auto blob = oci::describe(kLayer, bytes);
  const auto writer = room.writer();
  EXPECT_TRUE(writer->try_mount(blob, {room.registry.name(), "other/image"}));
  EXPECT_EQ(room.registry.blob("test/image", blob.digest), bytes);
  EXPECT_FALSE(writer->try_mount(blob, {"elsewhere.example", "other/image"}));
}

TEST(DockerWriter, UsesTheUploadThatARefusedMountBegan) {
  DockerRoom room({.mounts = false});
  const std::string bytes = noise(1000);
  const auto blob = oci::describe(kLayer, bytes);
  const auto writer = room.writer();
  EXPECT_FALSE(writer->try_mount(blob, {room.registry.name(), "other/image"}));
  EXPECT_EQ(room.registry.open_uploads(), 1U);
  (void)write_blob(*writer, bytes, {.expected = blob});
  EXPECT_EQ(room.registry.open_uploads(), 0U);
  EXPECT_EQ(room.registry.count("POST", ""), 1U);
}

TEST(DockerWriter, CancelsTheUploadOfARefusedMountThatNobodyUsed) {
  DockerRoom room({.mounts = false});
  {
    const auto writer = room.writer();
    EXPECT_FALSE(writer->try_mount(oci::describe(kLayer, "x"), {room.registry.name(), "other"}));
    EXPECT_EQ(room.registry.open_uploads(), 1U);
  }
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, RefusesWrongContentBeforeTheRegistryHasItAll) {
  DockerRoom room;
  const auto writer = room.writer();
  for (const std::size_t size : {std::size_t{1000}, std::size_t{5'000'000}}) {
    const auto expected = oci::describe(kLayer, noise(size, 1));
    EXPECT_EQ(code_of([&] { (void)write_blob(*writer, noise(size, 2), {.expected = expected}); }),
              Errc::digest_mismatch);
    EXPECT_EQ(
        code_of([&] { (void)write_blob(*writer, noise(size - 1, 1), {.expected = expected}); }),
        Errc::size_mismatch);
    EXPECT_EQ(code_of([&] { (void)write_blob(*writer, noise(size + 1), {.expected = expected}); }),
              Errc::size_mismatch);
    EXPECT_FALSE(room.registry.blob("test/image", expected.digest));
  }
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerWriter, AsksOnceForATagThatIsWhatWillBeWritten) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "latest", kType, raw);
  const auto writer = room.writer();
  ask_ahead(*writer);
  EXPECT_TRUE(writer->contains(oci::describe(kType, raw)));
  writer->tag(Tag{}, oci::describe(kType, raw));
  EXPECT_EQ(room.registry.count("HEAD", ""), 1U);
  EXPECT_EQ(room.registry.count("PUT", ""), 0U);
  EXPECT_FALSE(writer->contains(oci::describe(kType, manifest_text("b"))));
}

TEST(DockerWriter, PutsAManifestAgainThatMetAnotherUpload) {
  DockerRoom room;
  std::atomic<int> refused = 0;
  room.registry.set_hook([&](test::FakeRequest& request, test::FakeConnection& connection) {
    if (request.method != "PUT" || refused++ > 0) return false;
    connection.respond(request, 400, {}, R"({"errors":[{"code":"DIGEST_INVALID"}]})");
    return true;
  });
  const auto writer = room.writer();
  const oci::Descriptor document = oci::describe(kType, manifest_text());
  writer->put_manifest(document, manifest_text());
  writer->tag(Tag{}, document);
  EXPECT_TRUE(room.registry.manifest("test/image", "latest"));
}

TEST(DockerReader, ReadsWhatItResolvesByOneRequest) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "latest", kType, raw);
  const auto reader = room.reader();
  read_when_resolved(*reader);
  const auto found = reader->resolve(Tag{});
  ASSERT_TRUE(found);
  EXPECT_EQ(read_whole(*reader, *found), raw);
  EXPECT_EQ(room.registry.count("GET", "/manifests/"), 1U);
  EXPECT_EQ(room.registry.count("HEAD", ""), 0U);
  EXPECT_FALSE(room.reader("test/image:absent")->resolve(Tag{}));
}

TEST(DockerWriter, AsksForNoSmallBlobOfARepositoryThatDidNotExist) {
  DockerRoom room;
  room.registry.set_hook([](test::FakeRequest& request, test::FakeConnection& connection) {
    if (request.target.find("/tags/list") == std::string::npos) return false;
    connection.respond(request, 404, {}, R"({"errors":[{"code":"NAME_UNKNOWN"}]})");
    return true;
  });
  const auto writer = room.writer();
  EXPECT_FALSE(writer->contains(oci::describe(std::string(oci::kImageIndex), "an index")));
  const std::string bytes = noise(1000);
  const oci::Descriptor blob = oci::describe(kLayer, bytes);
  EXPECT_FALSE(writer->contains(blob));
  (void)write_blob(*writer, bytes, {.expected = blob});
  EXPECT_TRUE(room.writer("test/image:other")->contains(blob));
  EXPECT_FALSE(writer->contains(oci::describe(kType, manifest_text("b"))));
  EXPECT_EQ(room.registry.count("HEAD", ""), 1U);
  EXPECT_EQ(room.registry.count("GET", "/tags/list"), 1U);
  // What may be left of an earlier push is worth a question where it is large.
  EXPECT_FALSE(writer->contains(oci::describe(kLayer, noise(2'000'000))));
  EXPECT_EQ(room.registry.count("HEAD", ""), 2U);
}

TEST(DockerWriter, AsksForBlobsWhereTheRepositoryExists) {
  DockerRoom room;
  const auto blob = room.blob("content");
  const auto writer = room.writer();
  EXPECT_FALSE(writer->contains(oci::describe(kType, manifest_text())));
  EXPECT_TRUE(writer->contains(blob));
  EXPECT_TRUE(writer->contains(blob));
  EXPECT_EQ(room.registry.count("HEAD", "/blobs/"), 1U);
}

TEST(DockerWriter, ContainsAnswersForBlobsAndDocuments) {
  DockerRoom room;
  const auto blob = room.blob("content");
  const auto writer = room.writer();
  EXPECT_TRUE(writer->contains(blob));
  EXPECT_FALSE(writer->contains(oci::describe(kLayer, "absent")));
  oci::Descriptor longer = blob;
  ++longer.size;
  EXPECT_FALSE(writer->contains(longer));
  EXPECT_TRUE(writer->accepts().documents_imply_blobs);
}

}  // namespace
}  // namespace lade::testing
