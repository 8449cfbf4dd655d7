// Against Debian's docker-registry, with skopeo as the other side. What is not installed fails.
#include <gtest/gtest.h>

#include "libimage/io/path.h"

#include "tests/support/real_registry.h"
#include "tests/support/sample_image.h"
#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

const std::string kLayer(oci::kImageLayer);

ImageName named(const RealRegistry& registry, const std::string& rest) {
  return parse_image_name(cat("docker://", registry.name(), "/", rest));
}

SampleImage write_to(const RealRegistry& registry, Session& session, const std::string& rest,
                     oci::Family family = oci::Family::oci) {
  const SampleImage image = sample_image(rest, family);
  const OpenedWriter opened = open_writer(named(registry, rest), session);
  write_image(*opened.writer, image);
  opened.writer->tag(std::get<Tag>(opened.reference), image.descriptor);
  opened.writer->finish();
  return image;
}

void expect_image(const RealRegistry& registry, Session& session, const std::string& rest,
                  const SampleImage& image) {
  const OpenedReader opened = open_reader(named(registry, rest), session);
  const auto found = opened.reader->resolve(opened.reference);
  ASSERT_TRUE(found);
  const oci::Document document = opened.reader->document(*found);
  EXPECT_EQ(document.raw, image.manifest);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  EXPECT_EQ(read_blob(*opened.reader, manifest.config), image.config);
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    EXPECT_EQ(read_blob(*opened.reader, manifest.layers[i]), image.layers[i]);
  }
}

TEST(DockerInterop, WritesAndReadsOverHttp) {
  const RealRegistry registry;
  const auto session = quick_session({});
  const SampleImage image = write_to(registry, *session, "test/image:v1");
  expect_image(registry, *session, "test/image:v1", image);
  EXPECT_EQ(open_reader(named(registry, "test/image"), *session).reader->tags(),
            std::vector<std::string>{"v1"});
  EXPECT_FALSE(open_reader(named(registry, "no/image"), *session).reader->resolve(Tag{"v1"}));
}

TEST(DockerInterop, StreamsLargeBlobsBothWays) {
  const std::string bytes = noise(20'000'000);
  const auto expected = oci::describe(kLayer, bytes);
  for (const auto& [tls, known] : {std::pair(false, true), std::pair(false, false),
                                   std::pair(true, true), std::pair(true, false)}) {
    const RealRegistry registry({.tls = tls});  // HTTP/2 if it is
    SessionOptions options;
    if (tls) options.cert_dir = registry.cert_dir();
    const auto session = quick_session(options);
    const std::string repository = "test/image";
    const auto writer = open_writer(named(registry, repository), *session).writer;
    EXPECT_FALSE(writer->contains(expected));
    const auto blob = writer->start_blob(known ? BlobHint{.expected = expected} : BlobHint{});
    StringSource source(bytes);
    pump(source, *blob);
    EXPECT_EQ(blob->commit(kLayer), expected);
    EXPECT_TRUE(writer->contains(expected));
    EXPECT_EQ(read_whole(*open_reader(named(registry, repository), *session).reader, expected),
              bytes);
  }
}

TEST(DockerInterop, MountsAcrossRepositories) {
  const RealRegistry registry;
  const auto session = quick_session({});
  const std::string bytes = noise(100'000);
  (void)put_blob(*open_writer(named(registry, "a/a"), *session).writer, kLayer, bytes);
  const auto writer = open_writer(named(registry, "b/b"), *session).writer;
  const auto blob = oci::describe(kLayer, bytes);
  EXPECT_TRUE(writer->try_mount(blob, {registry.name(), "a/a"}));
  EXPECT_TRUE(writer->contains(blob));
  EXPECT_FALSE(writer->try_mount(oci::describe(kLayer, "absent"), {registry.name(), "a/a"}));
}

TEST(DockerInterop, KeepsAnIndexAndWhatItLists) {
  const RealRegistry registry;
  const auto session = quick_session({});
  const SampleImage one = write_to(registry, *session, "test/multi:one");
  const SampleImage two = write_to(registry, *session, "test/multi:two");
  const std::string raw = oci::serialise(oci::Index{.manifests = {one.descriptor, two.descriptor}});
  const auto descriptor = oci::describe(std::string(oci::kImageIndex), raw);
  const auto writer = open_writer(named(registry, "test/multi:all"), *session).writer;
  writer->put_manifest(descriptor, raw);
  writer->tag(Tag{}, descriptor);
  const OpenedReader opened = open_reader(named(registry, "test/multi:all"), *session);
  EXPECT_EQ(opened.reader->resolve(opened.reference), descriptor);
  EXPECT_EQ(opened.reader->document(one.descriptor).raw, one.manifest);
}

TEST(DockerInterop, SkopeoReadsWhatWeWroteAndWeWhatItWrote) {
  const RealRegistry registry;
  const auto session = quick_session({});
  const TempDir room("/tmp");
  for (const oci::Family family : {oci::Family::oci, oci::Family::docker}) {
    const SampleImage image = write_to(registry, *session, "test/ours:v1", family);
    const CommandResult raw = run_shell(
        cat("skopeo inspect --raw --tls-verify=false docker://", registry.name(), "/test/ours:v1"));
    EXPECT_EQ(raw.output, image.manifest);
    const CommandResult copied = run_shell(
        cat("skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "
            "docker://",
            registry.name(), "/test/ours:v1 docker://", registry.name(), "/test/theirs:v1"));
    EXPECT_EQ(copied.status, 0) << copied.output;
    expect_image(registry, *session, "test/theirs:v1", image);
  }
}

TEST(DockerInterop, TrustsACertificateOnlyIfItIsToldTo) {
  const RealRegistry registry({.tls = true});
  {
    const auto session = quick_session({});
    std::string message;
    EXPECT_EQ(code_of([&] { (void)write_to(registry, *session, "test/image:v1"); }, &message),
              Errc::denied);
    EXPECT_NE(message.find("certificate"), std::string::npos) << message;
  }
  {
    SessionOptions options;
    options.cert_dir = registry.cert_dir();
    const auto session = quick_session(options);
    const SampleImage image = write_to(registry, *session, "test/image:v1");
    expect_image(registry, *session, "test/image:v1", image);
  }
  {
    const TempDir roots("/tmp");
    ASSERT_EQ(run_shell(cat("cp -r ", registry.cert_dir(), " ", roots.path(), "/", registry.name()))
                  .status,
              0);
    SessionOptions options;
    options.certs_directories = {"/nonexistent", roots.path()};
    const auto session = quick_session(options);
    expect_image(registry, *session, "test/image:v1",
                 sample_image("test/image:v1", oci::Family::oci));
  }
  {
    SessionOptions options;
    options.tls_verify = SessionOptions::TlsVerify::no;
    const auto session = quick_session(options);
    const SampleImage image = write_to(registry, *session, "test/image:v2");
    expect_image(registry, *session, "test/image:v2", image);
  }
}

TEST(DockerInterop, LogsIn) {
  const RealRegistry registry({.tls = true, .login = true});
  SessionOptions options = with_credentials();
  options.cert_dir = registry.cert_dir();
  const auto session = quick_session(options);
  const SampleImage image = write_to(registry, *session, "test/image:v1");
  expect_image(registry, *session, "test/image:v1", image);
  options.credentials = {};
  const auto anonymous = quick_session(options);
  EXPECT_EQ(
      code_of([&] {
        (void)open_reader(named(registry, "test/image:v1"), *anonymous).reader->resolve(Tag{"v1"});
      }),
      Errc::unauthorized);
}

}  // namespace
}  // namespace lade::testing
