// Catalogs and tags by page, deletion, tags, and what the registry says of its limits.
#include <gtest/gtest.h>

#include "libimage/transports/registry.h"

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using Deletes = test::FakeRegistryOptions::Deletes;

const std::string kType(oci::kImageManifest);

std::vector<std::string> all_repositories(DockerRoom& room, const ListOptions& options = {}) {
  std::vector<std::string> names;
  visit_repositories(room.registry.name(), *room.session, options, [&](const std::string& name) {
    names.push_back(name);
    return true;
  });
  return names;
}

TEST(DockerCatalog, ListsRepositoriesOverPages) {
  DockerRoom room({.page = 2});
  for (const char* name : {"a", "b/c", "d", "e", "f"}) room.registry.put_blob(name, "x");
  EXPECT_EQ(all_repositories(room), (std::vector<std::string>{"a", "b/c", "d", "e", "f"}));
  EXPECT_EQ(all_repositories(room, {.after = "d"}), (std::vector<std::string>{"e", "f"}));
}

TEST(DockerCatalog, StopsWhereTheVisitorHasEnough) {
  DockerRoom room({.page = 2});
  for (const char* name : {"a", "b", "c", "d", "e"}) room.registry.put_blob(name, "x");
  std::size_t seen = 0;
  visit_repositories(room.registry.name(), *room.session, {},
                     [&](const std::string&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2U);
  EXPECT_EQ(room.registry.count("GET", "/_catalog"), 1U);
}

TEST(DockerCatalog, AsksForItsOwnRight) {
  DockerRoom room({.auth = test::FakeRegistryOptions::Auth::bearer}, with_credentials());
  room.registry.put_blob("a", "x");
  EXPECT_EQ(all_repositories(room), std::vector<std::string>{"a"});
  bool asked = false;
  for (const FakeRequest& request : room.registry.requests()) {
    asked = asked || request.parameter("scope") == "registry:catalog:*";
  }
  EXPECT_TRUE(asked);
}

TEST(DockerCatalog, ReportsARegistryWithoutOne) {
  for (const auto& [status, code] : {std::pair{404, Errc::not_found}, {405, Errc::unsupported}}) {
    DockerRoom room;
    room.registry.set_hook([status = status](FakeRequest& request, FakeConnection& connection) {
      if (request.path != "/v2/_catalog") return false;
      connection.respond(request, status);
      return true;
    });
    EXPECT_EQ(code_of([&] { (void)all_repositories(room); }), code);
  }
}

TEST(DockerCatalog, NoticesPagesThatGoRoundOrElsewhere) {
  const std::vector<std::pair<std::string, Errc>> links = {
      {"</v2/_catalog?n=1000>; rel=\"next\"", Errc::limit_exceeded},
      {"<http://127.0.0.1:1/v2/_catalog>; rel=\"next\"", Errc::denied}};
  for (const auto& [link, code] : links) {
    DockerRoom room;
    room.registry.set_hook([link = link](FakeRequest& request, FakeConnection& connection) {
      if (request.path != "/v2/_catalog") return false;
      connection.respond(request, 200, {{"Link", link}}, R"({"repositories":["a"]})");
      return true;
    });
    EXPECT_EQ(code_of([&] { (void)all_repositories(room); }), code) << link;
  }
}

TEST(DockerTags, VisitsPagesFromAnyTagOn) {
  DockerRoom room({.page = 2});
  for (const char* tag : {"1", "2", "3", "4", "5"}) {
    room.registry.put_manifest("test/image", tag, kType, manifest_text());
  }
  std::vector<std::string> tags;
  visit_tags(room.registry.name(), "test/image", *room.session, {.after = "2"},
             [&](const std::string& tag) {
               tags.push_back(tag);
               return tags.size() < 2;
             });
  EXPECT_EQ(tags, (std::vector<std::string>{"3", "4"}));
}

struct DeleteRoom : DockerRoom {
  explicit DeleteRoom(Deletes deletes, bool referrers_api = true)
      : DockerRoom({.referrers_api = referrers_api, .deletes = deletes}) {
    digest = registry.put_manifest("test/image", "one", kType, raw);
    registry.put_manifest("test/image", "two", kType, raw);
  }
  std::string raw = manifest_text();
  Digest digest = sha256_of("");
};

TEST(DockerDelete, TakesADocumentWithItsTags) {
  DeleteRoom room(Deletes::documents);
  room.writer()->remove(room.digest);
  EXPECT_FALSE(room.registry.manifest("test/image", "one"));
  EXPECT_FALSE(room.registry.manifest("test/image", room.digest.str()));
}

TEST(DockerDelete, TakesATagAloneWhereTheRegistryCan) {
  DeleteRoom room(Deletes::tags_too);
  room.writer()->remove(Tag{"one"});
  EXPECT_FALSE(room.registry.manifest("test/image", "one"));
  EXPECT_TRUE(room.registry.manifest("test/image", "two"));
}

TEST(DockerDelete, SaysWhyItCannot) {
  DeleteRoom tags(Deletes::documents);
  std::string message;
  EXPECT_EQ(code_of([&] { tags.writer()->remove(Tag{"one"}); }, &message), Errc::unsupported);
  EXPECT_NE(message.find("cannot delete a tag alone"), std::string::npos) << message;
  EXPECT_TRUE(tags.registry.manifest("test/image", "one"));
  DeleteRoom nothing(Deletes::nothing);
  EXPECT_EQ(code_of([&] { nothing.writer()->remove(nothing.digest); }, &message),
            Errc::unsupported);
  EXPECT_NE(message.find("does not allow deletion"), std::string::npos) << message;
}

TEST(DockerDelete, ReportsWhatIsNotThere) {
  DeleteRoom room(Deletes::tags_too);
  EXPECT_EQ(code_of([&] { room.writer()->remove(Tag{"three"}); }), Errc::not_found);
  EXPECT_EQ(code_of([&] { room.writer()->remove(sha256_of("other")); }), Errc::not_found);
}

TEST(DockerDelete, TakesAReferrerOutOfTheListThatStandsForTheApi) {
  DeleteRoom room(Deletes::documents, false);
  const std::string raw =
      cat(R"({"schemaVersion":2,"mediaType":")", kType,
          R"(","config":{"mediaType":"application/vnd.oci.empty.v1+json",)", R"("digest":")",
          sha256_of("{}").str(), R"(","size":2},"layers":[],)", R"("subject":{"mediaType":")",
          kType, R"(","digest":")", room.digest.str(), R"(","size":)", room.raw.size(), "}}");
  const auto referrer = oci::describe(kType, raw);
  const auto writer = room.writer();
  writer->put_manifest(referrer, raw);
  writer->finish();
  EXPECT_EQ(room.reader()->referrers(room.digest)->size(), 1U);
  writer->remove(referrer.digest);
  EXPECT_EQ(room.reader()->referrers(room.digest)->size(), 0U);
}

TEST(DockerTag, SendsADocumentOnceThatHasOneTag) {
  DockerRoom room;
  const std::string raw = manifest_text();
  const auto descriptor = oci::describe(kType, raw);
  const auto writer = room.writer();
  writer->put_manifest(descriptor, raw);
  writer->tag(Tag{"v1"}, descriptor);
  writer->finish();
  EXPECT_EQ(room.registry.count("PUT", "/manifests/"), 1U);
  EXPECT_EQ(room.registry.count("PUT", "/manifests/v1"), 1U);
  EXPECT_EQ(room.registry.manifest("test/image", descriptor.digest.str())->raw, raw);
}

TEST(DockerTag, SendsADocumentWithoutOneAtTheLatestWhenItFinishes) {
  DockerRoom room;
  const std::string first = manifest_text("1");
  const std::string second = manifest_text("2");
  const auto writer = room.writer();
  writer->put_manifest(oci::describe(kType, first), first);
  writer->put_manifest(oci::describe(kType, second), second);
  EXPECT_TRUE(room.registry.manifest("test/image", sha256_of(first).str()));
  writer->finish();
  writer->finish();
  EXPECT_TRUE(room.registry.manifest("test/image", sha256_of(second).str()));
  EXPECT_EQ(room.registry.count("PUT", "/manifests/"), 2U);
}

TEST(DockerTag, SendsNothingWhereTheTagIsThere) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "v1", kType, raw);
  room.writer()->tag(Tag{"v1"}, oci::describe(kType, raw));
  EXPECT_EQ(room.registry.count("PUT", "/manifests/"), 0U);
  EXPECT_EQ(room.registry.count("GET", "/manifests/"), 0U);
}

TEST(DockerTag, TakesATagThatNeverMovesForDoneOnlyWhereItIs) {
  for (const bool same : {true, false}) {
    DockerRoom room;
    const std::string raw = manifest_text();
    room.registry.put_manifest("test/image", "v1", kType, same ? raw : manifest_text("other"));
    room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
      if (request.method != "PUT") return false;
      connection.read_body(request);
      connection.respond(request, 400, {},
                         R"({"errors":[{"code":"ImageTagAlreadyExistsException"}]})");
      return true;
    });
    const auto writer = room.writer();
    const auto descriptor = oci::describe(kType, raw);
    writer->put_manifest(descriptor, raw);
    if (same) {
      writer->tag(Tag{"v1"}, descriptor);
    } else {
      EXPECT_EQ(code_of([&] { writer->tag(Tag{"v1"}, descriptor); }), Errc::invalid_content);
    }
  }
}

/// Notes of one kind of event.
class NoteCollector final : public ProgressObserver {
 public:
  explicit NoteCollector(ProgressEvent::Kind kind) : kind_(kind) {}
  void notify(const ProgressEvent& event) noexcept override {
    if (event.kind == kind_) notes.push_back(event.note);
  }
  std::vector<std::string> notes;

 private:
  ProgressEvent::Kind kind_;
};

std::vector<std::string> notes_of_rates(ProgressEvent::Kind kind, int first_left) {
  NoteCollector collector(kind);
  SessionOptions options;
  options.observer = &collector;
  DockerRoom room({}, std::move(options));
  room.registry.put_manifest("test/image", "latest", kType, manifest_text());
  int left = first_left;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "HEAD") return false;
    connection.respond(request, 200,
                       {{"Content-Type", kType},
                        {"Content-Length", "2"},
                        {"Docker-Content-Digest", sha256_of("{}").str()},
                        {"RateLimit-Limit", "100;w=21600"},
                        {"RateLimit-Remaining", cat(left--, ";w=21600")}});
    return true;
  });
  for (int i = 0; i < 3; ++i) (void)room.reader()->resolve(Tag{"latest"});
  return collector.notes;
}

TEST(DockerRates, AreToldOnceAndWarnedOfOnce) {
  using Kind = ProgressEvent::Kind;
  const auto told = notes_of_rates(Kind::summary, 87);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("87 of 100 pulls left in 6 h"), std::string::npos) << told[0];
  EXPECT_TRUE(notes_of_rates(Kind::warning, 87).empty());
  EXPECT_EQ(notes_of_rates(Kind::warning, 11).size(), 1U);
}

}  // namespace
}  // namespace lade::testing
