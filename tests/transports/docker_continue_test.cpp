// Transfers that go on where they broke, uploads in chunks, and what is remembered between
// commands.
#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/io/path.h"

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using Options = test::FakeRegistryOptions;

const std::string kLayer(oci::kImageLayer);
constexpr std::size_t kLarge = std::size_t{12} << 20;
constexpr std::size_t kHalf = kLarge / 2;

bool is_upload(const FakeRequest& request) {
  return request.path.find("/blobs/uploads/") != std::string::npos;
}

/// A registry, and commands one after another that share a cache.
struct ContinueRoom {
  explicit ContinueRoom(Options options = {}, std::size_t size = kLarge)
      : registry(std::move(options)), bytes(noise(size)), blob(oci::describe(kLayer, bytes)) {}

  std::unique_ptr<Session> command() {
    SessionOptions options;
    options.cache_dir = cache.path();
    options.observer = &warnings;
    return quick_session(std::move(options));
  }
  std::unique_ptr<Writer> writer(Session& session, const std::string& repository = "test/image") {
    return open_writer(parse_image_name(cat("docker://", registry.name(), "/", repository)),
                       session)
        .writer;
  }
  [[nodiscard]] BlobHint hint() const { return {.expected = blob, .verified_by_source = true}; }
  /// Writes what the registry does not have; says how much it had.
  std::uint64_t write(Writer& writer) const {
    const auto upload = writer.start_blob(hint());
    const std::uint64_t kept = upload->kept();
    const std::string rest = bytes.substr(kept);
    StringSource source(rest);
    pump(source, *upload);
    EXPECT_EQ(upload->commit(kLayer), blob);
    return kept;
  }
  std::uint64_t write_by_a_new_command() {
    const auto session = command();
    return write(*writer(*session));
  }
  /// A command that ends after half of the blob.
  void break_off() {
    registry.set_hook([this](FakeRequest& request, FakeConnection&) {
      // The broken request must have ended at the server before it is asked for its result.
      for (int i = 0; is_upload(request) && request.method == "GET" && i < 1000; ++i) {
        if (registry.uploaded_bytes() > 0) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      return false;
    });
    const auto session = command();
    const auto w = writer(*session);
    const auto upload = w->start_blob(hint());
    // In pieces: then all but what is buffered has been sent.
    StringSource source(std::string_view(bytes).substr(0, kHalf));
    pump(source, *upload);
  }
  [[nodiscard]] bool stored(const std::string& repository = "test/image") const {
    return registry.blob(repository, blob.digest) == bytes;
  }
  [[nodiscard]] std::size_t count(const std::string& method) const {
    return registry.count(method, "/blobs/uploads/");
  }

  test::FakeRegistry registry;
  TempDir cache{"/tmp"};
  WarningCollector warnings;
  std::string bytes;
  oci::Descriptor blob;
};

TEST(DockerContinue, ReadsFromAnyByteByRange) {
  DockerRoom room;
  const std::string bytes = noise(300'000);
  const auto blob = room.blob(bytes);
  const auto reader = room.reader();
  for (const std::size_t offset : {std::size_t{1}, std::size_t{200'000}, bytes.size()}) {
    EXPECT_EQ(read_all(*reader->open_at(blob, offset), 1 << 20, "rest"), bytes.substr(offset));
  }
  EXPECT_EQ(room.registry.count("GET", "/blobs/"), 2U);
  EXPECT_EQ(room.registry.requests().back().header("range"), "bytes=200000-");
}

TEST(DockerContinue, SkipsWhatItNeedsNotWhereRangeIsIgnored) {
  DockerRoom room;
  const std::string bytes = noise(300'000);
  const auto blob = room.blob(bytes);
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.header("range").empty()) return false;
    connection.respond(request, 200, {}, bytes);
    return true;
  });
  EXPECT_EQ(read_all(*room.reader()->open_at(blob, 1000), 1 << 20, "rest"), bytes.substr(1000));
}

TEST(DockerContinue, AnotherCommandGoesOnWithAnUpload) {
  ContinueRoom room;
  room.break_off();
  EXPECT_EQ(room.registry.open_uploads(), 1U);
  EXPECT_GE(room.write_by_a_new_command(), std::size_t{4} << 20);
  EXPECT_TRUE(room.stored());
  EXPECT_EQ(room.count("POST"), 1U);
  EXPECT_EQ(room.registry.open_uploads(), 0U);
}

TEST(DockerContinue, BeginsAnewWhereTheRegistryHasForgotten) {
  ContinueRoom room(Options{.continues = false});
  room.break_off();
  EXPECT_EQ(room.write_by_a_new_command(), 0U);
  EXPECT_TRUE(room.stored());
}

TEST(DockerContinue, ForgetsAnUploadThatWasWrong) {
  ContinueRoom room;
  room.break_off();
  room.registry.damage_uploads();
  const auto session = room.command();
  const auto writer = room.writer(*session);
  EXPECT_EQ(code_of([&] { (void)room.write(*writer); }), Errc::digest_mismatch);
  EXPECT_FALSE(room.stored());
  EXPECT_EQ(room.write(*writer), 0U);
  EXPECT_TRUE(room.stored());
}

TEST(DockerContinue, TwoCommandsDoNotDisturbEachOthersUpload) {
  ContinueRoom room;
  const auto first = room.command();
  const auto writer = room.writer(*first);
  const auto upload = writer->start_blob(room.hint());
  upload->write(bytes_of(room.bytes).first(kHalf));
  EXPECT_EQ(room.write_by_a_new_command(), 0U);
  upload->write(bytes_of(room.bytes).subspan(kHalf));
  EXPECT_EQ(upload->commit(kLayer), room.blob);
  EXPECT_TRUE(room.stored());
}

TEST(DockerContinue, NeverFollowsASavedLocationElsewhere) {
  ContinueRoom room;
  {
    docker::Memory memory(room.cache.path(), room.registry.name());
    memory.save_upload("test/image", room.blob.digest, {.location = "http://169.254.169.254/x"});
  }
  EXPECT_EQ(room.write_by_a_new_command(), 0U);
  EXPECT_TRUE(room.stored());
}

TEST(DockerChunks, SplitWhatIsTooLargeForOneRequestAndRememberIt) {
  ContinueRoom room(Options{.largest_body = 1'000'000}, 5'000'000);
  room.write_by_a_new_command();
  EXPECT_TRUE(room.stored());
  const std::size_t refused = room.count("PUT");
  room.registry.remove_blob("test/image", room.blob.digest);
  room.write_by_a_new_command();
  EXPECT_TRUE(room.stored());
  EXPECT_EQ(room.count("PUT"), refused + 1);  // the closing one: no other was tried
}

TEST(DockerChunks, OfASmallBlobToo) {
  ContinueRoom room(Options{.largest_body = 300'000}, 900'000);
  room.write_by_a_new_command();
  EXPECT_TRUE(room.stored());
}

TEST(DockerChunks, AreAsLargeAsTheRegistryWants) {
  constexpr std::size_t kLeast = 1'500'000;
  ContinueRoom room(Options{.largest_body = 3'000'000, .chunk_min_length = kLeast}, 5'000'000);
  room.write_by_a_new_command();
  EXPECT_TRUE(room.stored());
  std::vector<std::uint64_t> sizes;
  for (const FakeRequest& request : room.registry.requests()) {
    if (request.method == "PATCH")
      sizes.push_back(*parse_decimal(request.header("content-length")));
  }
  ASSERT_GT(sizes.size(), 1U);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_GE(sizes[i], kLeast);
}

TEST(DockerChunks, GoOnBehindWhatArrived) {
  for (const bool stored : {false, true}) {
    ContinueRoom room(Options{.largest_body = 1'000'000}, 5'000'000);
    std::atomic<int> patches = 0;
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.method != "PATCH" || request.header("content-length").size() > 6) return false;
      if (++patches % 3 != 0) return false;
      if (stored) {  // and only the answer is lost
        connection.read_body(request);
        room.registry.append_upload(request.path, request.body);
      } else {
        connection.read_some(request, 1000);
      }
      connection.reset();
      return true;
    });
    room.write_by_a_new_command();
    EXPECT_TRUE(room.stored()) << stored;
    EXPECT_GT(patches, 6);
  }
}

TEST(DockerChunks, AreNotTrustedToARegistryThatKeepsOnlyTheLast) {
  ContinueRoom room(Options{.largest_body = 1'000'000, .keeps_last_chunk_only = true}, 5'000'000);
  EXPECT_EQ(code_of([&] { room.write_by_a_new_command(); }), Errc::unavailable);
  // Whole is the only way left, and that is refused.
  EXPECT_EQ(code_of([&] { room.write_by_a_new_command(); }), Errc::limit_exceeded);
  EXPECT_FALSE(room.stored());
}

TEST(DockerChunks, ReplaceAStreamOfUnknownLength) {
  for (const int status : {400, 405, 411, 501}) {
    ContinueRoom room({}, 5'000'000);
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.method != "PATCH" || !request.header("content-length").empty()) return false;
      connection.respond(request, status);
      return true;
    });
    const auto session = room.command();
    const auto writer = room.writer(*session);
    const auto write = [&] {
      const auto upload = writer->start_blob({});
      StringSource source(room.bytes);
      pump(source, *upload);
      EXPECT_EQ(upload->commit(kLayer), room.blob) << status;
    };
    // The refusal may come when the beginning is no longer held: then the owner tries again.
    if (code_of(write) != Errc::internal) write();
    EXPECT_TRUE(room.stored());
  }
}

TEST(DockerChunks, EndWhereTheLastOneEndsTheUpload) {
  ContinueRoom room(Options{.largest_body = 2'000'000}, 3'000'000);
  std::atomic<bool> closed = false;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "PUT" || request.header("content-length") != "0") return false;
    closed = true;  // ECR: 201 to the last PATCH, and nothing to close
    room.registry.put_blob("test/image", room.bytes);
    connection.respond(request, 400, {}, R"({"errors":[{"code":"BLOB_UPLOAD_INVALID"}]})");
    return true;
  });
  room.write_by_a_new_command();
  EXPECT_TRUE(closed);
}

TEST(DockerChunks, RenewATokenBetweenThem) {
  SessionOptions options = with_credentials();
  DockerRoom room({.auth = Options::Auth::bearer, .largest_body = 1'000'000}, std::move(options));
  std::atomic<int> patches = 0;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection&) {
    if (request.method == "PATCH" && ++patches == 4) room.registry.revoke_tokens();
    return false;
  });
  const std::string bytes = noise(5'000'000);
  const auto expected = oci::describe(kLayer, bytes);
  const auto writer = room.writer();
  const auto upload = writer->start_blob({.expected = expected});
  StringSource source(bytes);
  pump(source, *upload);
  EXPECT_EQ(upload->commit(kLayer), expected);
  EXPECT_EQ(room.registry.blob("test/image", expected.digest), bytes);
}

TEST(DockerMemory, MountsWhatAnotherCommandSawElsewhere) {
  ContinueRoom room({}, 100'000);
  room.write_by_a_new_command();
  const auto session = room.command();
  EXPECT_TRUE(room.writer(*session, "other/place")->try_mount(room.blob, {}));
  EXPECT_TRUE(room.stored("other/place"));
  EXPECT_EQ(room.count("PUT"), 1U);
}

TEST(DockerMemory, AMountThatFailsIsForgotten) {
  ContinueRoom room({}, 100'000);
  room.write_by_a_new_command();
  room.registry.remove_blob("test/image", room.blob.digest);
  for (const std::size_t tries : {1U, 1U}) {
    const auto session = room.command();
    EXPECT_FALSE(room.writer(*session, "other/place")->try_mount(room.blob, {}));
    std::size_t from = 0;
    for (const FakeRequest& request : room.registry.requests()) {
      from += request.parameter("from").empty() ? 0U : 1U;
    }
    EXPECT_EQ(from, tries);
  }
}

TEST(DockerMemory, KnowsARegistryThatFailsWithoutASource) {
  ContinueRoom room({}, 100'000);
  std::atomic<int> asked = 0;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.parameter("mount").empty()) return false;
    ++asked;
    connection.respond(request, 400);
    return true;
  });
  for (int command = 0; command < 2; ++command) {
    const auto session = room.command();
    EXPECT_FALSE(room.writer(*session)->try_mount(room.blob, {}));
  }
  EXPECT_EQ(asked, 1);
  room.write_by_a_new_command();
  EXPECT_TRUE(room.stored());
}

TEST(DockerMemory, TakesDamageForIgnorance) {
  const std::string damaged[] = {"",
                                 "\n\n",
                                 "chunk-bytes x\nloses",
                                 "location \n",
                                 "location a b\n",
                                 "sha256:12 x\n",
                                 std::string(3, '\0')};
  for (const std::string& text : damaged) {
    EXPECT_EQ(docker::parse_traits(text), docker::UploadTraits{}) << text;
    EXPECT_FALSE(docker::parse_upload(text)) << text;
    EXPECT_TRUE(docker::parse_sightings(text).empty()) << text;
  }
  const docker::UploadTraits traits{
      .chunk_bytes = 7, .loses_chunks = true, .needs_length = true, .needs_mount_source = true};
  EXPECT_EQ(docker::parse_traits(docker::text_of(traits)), traits);
  const docker::SavedUpload upload{.location = "http://h/x?y=z", .chunk_bytes = 9};
  EXPECT_EQ(docker::parse_upload(docker::text_of(upload)), upload);
}

TEST(DockerMemory, HasBoundsAndMergesWhatProcessesSaw) {
  const TempDir cache("/tmp");
  const Digest blob = sha256_of("blob");
  {
    docker::Memory one(cache.path(), "r.example:5000");
    docker::Memory two(cache.path(), "r.example:5000");
    for (int i = 0; i < 30; ++i) one.saw(blob, cat("one/", i));
    two.saw(blob, "two");
  }
  docker::Memory memory(cache.path(), "r.example:5000");
  EXPECT_EQ(memory.repositories_with(blob, "", 100).size(), 8U);
  EXPECT_EQ(memory.repositories_with(blob, "", 1).size(), 1U);
  docker::Memory other(cache.path(), "other.example");
  EXPECT_TRUE(other.repositories_with(blob, "", 100).empty());
}

}  // namespace
}  // namespace lade::testing
