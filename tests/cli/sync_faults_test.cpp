// A thousand small images mirrored between two registries that fail one request in twenty, by the
// program itself: every digest is right, and memory does not grow with the number of images.
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/support/fake_registry.h"
#include "tests/support/sample_image.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRegistry;
using test::FakeRequest;

constexpr int kRepositories = 20;

/// Every twentieth request fails, in one way after the other.
class Faults {
 public:
  explicit Faults(const FakeRegistry& registry) : registry_(registry) {}
  bool operator()(FakeRequest& request, FakeConnection& connection) {
    const unsigned n = ++requests_;
    if (n % 20 != 7 || request.path == "/v2/") return false;
    ++failed_;
    if (request.method != "GET" && request.method != "HEAD") (void)connection.read_body(request);
    constexpr std::string_view kBody = R"({"errors":[{"code":"UNKNOWN","message":"injected"}]})";
    switch (n / 20 % 6) {
      case 0:
        connection.respond(request, 500, {}, kBody);
        break;
      case 1:
        connection.respond(request, 503, {{"Retry-After", "0"}}, kBody);
        break;
      case 2:
        connection.respond(request, 429, {{"Retry-After", "0"}}, kBody);
        break;
      case 3:
        connection.reset();
        break;
      case 4:
        send_half(request, connection);
        break;
      default:  // no answer at all
        connection.close();
    }
    return true;
  }
  [[nodiscard]] unsigned failed() const { return failed_; }

 private:
  /// An answer that breaks off; no answer where a blob was not asked for.
  void send_half(const FakeRequest& request, FakeConnection& connection) const {
    constexpr std::string_view kBlobs = "/blobs/";
    constexpr std::string_view kApi = "/v2/";
    const std::size_t at = request.path.find(kBlobs);
    if (request.method == "GET" && at != std::string::npos) {
      const std::string repository = request.path.substr(kApi.size(), at - kApi.size());
      const auto bytes =
          registry_.blob(repository, Digest::parse(request.path.substr(at + kBlobs.size())));
      if (bytes) {
        connection.send(cat("HTTP/1.1 200 OK\r\nContent-Length: ", bytes->size(), "\r\n\r\n"));
        connection.send(std::string_view(*bytes).substr(0, bytes->size() / 2));
      }
    }
    connection.close();
  }

  const FakeRegistry& registry_;
  std::atomic<unsigned> requests_{0};
  std::atomic<unsigned> failed_{0};
};

struct Finished {
  int status = -1;
  long peak_kib = 0;
};

Finished run_lade(const std::vector<std::string>& words) {
  std::vector<std::string> all = {LADE_BINARY};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawn(&child, LADE_BINARY, nullptr, nullptr, argv.data(), environ) != 0) return {};
  int status = 0;
  rusage usage{};
  if (::wait4(child, &status, 0, &usage) != child || !WIFEXITED(status)) return {};
  return {.status = WEXITSTATUS(status), .peak_kib = usage.ru_maxrss};
}

std::string repository_name(int number) { return cat("team/app-", number); }

/// `images` of each repository, in the registry; the digests by repository and tag.
std::map<std::string, Digest> fill(FakeRegistry& registry, int images) {
  std::map<std::string, Digest> digests;
  for (int r = 0; r < kRepositories; ++r) {
    for (int i = 0; i < images; ++i) {
      const std::string repository = repository_name(r);
      const SampleImage image = sample_image(cat(r, "-", i), oci::Family::oci);
      for (const std::string& layer : image.layers) registry.put_blob(repository, layer);
      registry.put_blob(repository, image.config);
      digests.emplace(
          cat(repository, ":", i),
          registry.put_manifest(repository, cat(i), image.descriptor.media_type, image.manifest));
    }
  }
  return digests;
}

void expect_mirrored(const FakeRegistry& registry, const std::map<std::string, Digest>& digests) {
  for (const auto& [name, digest] : digests) {
    const std::size_t colon = name.rfind(':');
    const std::string repository = name.substr(std::string_view("team/").size(), colon - 5);
    const auto stored = registry.manifest(repository, name.substr(colon + 1));
    ASSERT_TRUE(stored) << name;
    ASSERT_EQ(sha256_of(stored->raw), digest) << name;
    const oci::Manifest manifest = oci::parse_manifest(stored->raw);
    std::vector<oci::Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    for (const oci::Descriptor& blob : blobs) {
      const auto bytes = registry.blob(repository, blob.digest);
      ASSERT_TRUE(bytes) << name << " " << blob.digest.str();
      ASSERT_EQ(sha256_of(*bytes), blob.digest) << name;
    }
  }
}

/// Mirrors that many images; the peak of the program's memory in KiB.
long mirror(int images_of_each) {
  FakeRegistry source;
  FakeRegistry target;
  const std::map<std::string, Digest> digests = fill(source, images_of_each);
  auto source_faults = std::make_shared<Faults>(source);
  auto target_faults = std::make_shared<Faults>(target);
  source.set_hook([=](FakeRequest& r, FakeConnection& c) { return (*source_faults)(r, c); });
  target.set_hook([=](FakeRequest& r, FakeConnection& c) { return (*target_faults)(r, c); });
  const TempDir room("/tmp");
  const std::string file = room.path() + "/sync.yaml";
  std::string yaml = cat(source.name(), ":\n  tls-verify: false\n  images:\n");
  for (int r = 0; r < kRepositories; ++r) yaml += cat("    ", repository_name(r), ": []\n");
  {
    const DirFd dir = open_dir(room.path());
    FdSink(open_entry(dir, "sync.yaml", O_WRONLY | O_CREAT, 0600).get(), file)
        .write(bytes_of(yaml));
  }
  const std::vector<std::string> words = {"--store", room.path() + "/store",
                                          "sync",    "--src",
                                          "yaml",    "--dest",
                                          "docker",  "--quiet",
                                          "--jobs",  "32",
                                          file,      target.name()};
  const Finished first = run_lade(words);
  EXPECT_EQ(first.status, 0);
  expect_mirrored(target, digests);
  EXPECT_GT(source_faults->failed() + target_faults->failed(), digests.size() / 5);
  EXPECT_EQ(target.open_uploads(), 0U);
  // Nothing to do: nothing is written.
  target.set_hook({});
  const std::size_t written = target.count("PUT", "/");
  EXPECT_EQ(run_lade(words).status, 0);
  EXPECT_EQ(target.count("PUT", "/"), written);
  return first.peak_kib;
}

TEST(SyncFaults, MirrorsAThousandImagesThroughFailures) {
  const long few = mirror(5);
  const long many = mirror(50);
  constexpr long kMoreNames = 8 * 1024;  // KiB; the names of ten times as many images, and slack
  EXPECT_LT(many, few + kMoreNames);
  EXPECT_LT(many, 64 * 1024);
}

}  // namespace
}  // namespace lade::testing
