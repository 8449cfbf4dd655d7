#include <atomic>

#include <gtest/gtest.h>

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRequest;

const std::string kType(oci::kImageManifest);

TEST(DockerReader, ResolvesByHeadAndReadsTheDocument) {
  DockerRoom room;
  const std::string raw = manifest_text();
  const Digest digest = room.registry.put_manifest("test/image", "v1", kType, raw);
  const auto reader = room.reader();
  const auto found = reader->resolve(Tag{"v1"});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, oci::describe(kType, raw));
  EXPECT_EQ(room.registry.count("GET", "/manifests/"), 0U);
  EXPECT_EQ(reader->document(*found).raw, raw);
  EXPECT_EQ(reader->resolve(digest)->size, raw.size());
  EXPECT_FALSE(reader->resolve(Tag{"absent"}));
  EXPECT_FALSE(reader->resolve(sha256_of("absent")));
  EXPECT_EQ(reader->origin(), (Origin{room.registry.name(), "test/image"}));
}

TEST(DockerReader, AsksForEveryTypeThatItUnderstands) {
  DockerRoom room;
  room.registry.put_manifest("test/image", "latest", kType, manifest_text());
  (void)room.reader()->resolve(Tag{});
  const std::string accept = room.registry.requests().back().header("accept");
  for (const auto type :
       {oci::kImageIndex, oci::kImageManifest, oci::kDockerManifestList, oci::kDockerManifest}) {
    EXPECT_NE(accept.find(type), std::string::npos) << type;
  }
  EXPECT_EQ(accept.find("*/*"), std::string::npos);
}

TEST(DockerReader, ReadsBlobs) {
  DockerRoom room;
  const std::string bytes = noise(3'000'000);
  const auto blob = room.blob(bytes);
  EXPECT_EQ(read_whole(*room.reader(), blob), bytes);
  const auto empty = room.blob("");
  EXPECT_EQ(read_whole(*room.reader(), empty), "");
  EXPECT_EQ(code_of([&] { (void)room.reader()->open(oci::describe("a/b", "absent")); }),
            Errc::not_found);
}

TEST(DockerReader, TellsTheSizeOfBlobsAndDocuments) {
  DockerRoom room;
  const auto reader = room.reader();
  EXPECT_EQ(reader->size_of(room.blob("content").digest), 7U);
  const Digest document = room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  EXPECT_EQ(reader->size_of(document), manifest_text().size());
  EXPECT_FALSE(reader->size_of(sha256_of("absent")));
}

TEST(DockerReader, FindsADocumentOfAnUnknownType) {
  DockerRoom room;
  const std::string raw = R"({"new":true})";
  room.registry.put_manifest("test/image", "", "application/vnd.new+json", raw);
  EXPECT_EQ(read_whole(*room.reader(), oci::describe("application/vnd.new+json", raw)), raw);
}

TEST(DockerReader, FallsBackToGetWhereHeadIsNotUnderstood) {
  for (const int status : {400, 403, 405, 501}) {
    DockerRoom room;
    const std::string raw = manifest_text();
    room.registry.put_manifest("test/image", "v1", kType, raw);
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.method != "HEAD") return false;
      connection.respond(request, status);
      return true;
    });
    EXPECT_EQ(room.reader()->resolve(Tag{"v1"})->digest, sha256_of(raw)) << status;
  }
}

TEST(DockerReader, FallsBackToGetWhereHeadSaysTooLittle) {
  const std::string raw = manifest_text();
  const std::string digest = sha256_of(raw).str();
  const std::vector<test::FakeHeaders> answers = {
      {{"Content-Type", kType}, {"Content-Length", "5"}},
      {{"Content-Type", kType}, {"Docker-Content-Digest", "sha256:zz"}, {"Content-Length", "5"}},
      {{"Content-Type", "application/json"},
       {"Docker-Content-Digest", digest},
       {"Content-Length", cat(raw.size())}},
      {{"Docker-Content-Digest", digest}, {"Content-Length", cat(raw.size())}}};
  for (const auto& headers : answers) {
    DockerRoom room;
    room.registry.put_manifest("test/image", "v1", kType, raw);
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.method != "HEAD") return false;
      connection.respond(request, 200, headers);
      return true;
    });
    EXPECT_EQ(room.reader()->resolve(Tag{"v1"}), oci::describe(kType, raw));
    EXPECT_EQ(room.registry.count("GET", "/manifests/"), 1U);
  }
}

TEST(DockerReader, TellsWhatADocumentWithoutATypeIs) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "v1", "text/plain", raw);
  EXPECT_EQ(room.reader()->resolve(Tag{"v1"})->media_type, kType);
}

TEST(DockerReader, ListsTagsOverPages) {
  DockerRoom room({.page = 3});
  for (int i = 10; i < 20; ++i) {
    room.registry.put_manifest("test/image", cat("v", i), kType, manifest_text());
  }
  const auto tags = room.reader()->tags();
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->size(), 10U);
  EXPECT_EQ(tags->front(), "v10");
  EXPECT_EQ(tags->back(), "v19");
  EXPECT_EQ(room.registry.count("GET", "/tags/list"), 4U);
}

TEST(DockerReader, SkipsWhatIsNoTagInATagList) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/tags/list") == std::string::npos) return false;
    connection.respond(request, 200, {},
                       R"({"tags":["a",null,7,"sha256:0123","b/c","","b"],"child":[]})");
    return true;
  });
  EXPECT_EQ(room.reader()->tags(), (std::vector<std::string>{"a", "b"}));
}

TEST(DockerReader, ReadsNullAsNoTags) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/tags/list") == std::string::npos) return false;
    connection.respond(request, 200, {}, R"({"name":"test/image","tags":null})");
    return true;
  });
  EXPECT_EQ(room.reader()->tags(), std::vector<std::string>());
}

std::string artifact_for(const std::string& subject) {
  return oci::serialise(oci::Manifest{.artifact_type = "application/vnd.test.sbom",
                                      .config = oci::describe(std::string(oci::kEmptyJson), "{}"),
                                      .layers = {},
                                      .subject = oci::describe(kType, subject),
                                      .annotations = oci::Annotations{{"k", "v"}}});
}

TEST(DockerReader, ListsReferrersByApiAndByTag) {
  for (const bool api : {true, false}) {
    DockerRoom room({.referrers_api = api});
    const std::string image = manifest_text();
    const std::string artifact = artifact_for(image);
    const auto writer = room.writer();
    writer->put_manifest(oci::describe(kType, image), image);
    EXPECT_EQ(room.reader()->referrers(sha256_of(image)), std::vector<oci::Descriptor>());
    writer->put_manifest(oci::describe(kType, artifact), artifact);
    writer->put_manifest(oci::describe(kType, artifact), artifact);  // listed once all the same
    const auto found = room.reader()->referrers(sha256_of(image));
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U) << api;
    EXPECT_EQ(found->front().digest, sha256_of(artifact));
    const auto list = room.registry.manifest(
        "test/image", cat("sha256-", std::string(sha256_of(image).encoded())));
    EXPECT_EQ(list.has_value(), !api);
    if (list) {
      const oci::Descriptor entry = oci::parse_index(list->raw).manifests.at(0);
      EXPECT_EQ(entry.artifact_type, "application/vnd.test.sbom");
      EXPECT_EQ(entry.annotation("k"), "v");
    }
  }
}

TEST(DockerReader, PassesOnEachWarningOnce) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/v2/") return false;
    connection.respond(request, 404,
                       {{"Warning", "299 - \"going \x1b[31maway\""},
                        {"Warning", "199 - \"not this\""},
                        {"Warning", "garbage"}});
    return true;
  });
  for (int i = 0; i < 3; ++i) (void)room.reader()->resolve(Tag{"v1"});
  ASSERT_EQ(room.warnings.notes().size(), 1U);
  EXPECT_NE(room.warnings.notes()[0].find("going \\x1b[31maway"), std::string::npos)
      << room.warnings.notes()[0];
}

TEST(DockerReader, ExplainsFailuresInTheRegistrysWords) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/v2/") return false;
    connection.respond(request, 403, {},
                       R"({"errors":[{"code":"DENIED","message":"not \u001b yours"}]})");
    return true;
  });
  std::string message;
  EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"v1"}); }, &message), Errc::denied);
  EXPECT_NE(message.find("resolve v1 in " + room.registry.name() + "/test/image: 403 DENIED: not "),
            std::string::npos)
      << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace lade::testing
