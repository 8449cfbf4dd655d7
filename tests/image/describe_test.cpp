#include "libimage/image/describe.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/oci/json_text.h"

#include "tests/image/fixture.h"

namespace lade::image {
namespace {

using testing::HasSubstr;
using testing::Not;

oci::Descriptor attestation_of(MemoryStore& store, const oci::Descriptor& image) {
  oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kImageConfig), "{}")};
  oci::Descriptor statement = oci::describe("application/vnd.in-toto+json", "statement");
  statement.annotations =
      oci::Annotations{{"in-toto.io/predicate-type", "https://slsa.dev/provenance/v0.2"}};
  manifest.layers = {statement};
  oci::Descriptor entry = with_platform(put_manifest(store, manifest), "unknown", "unknown");
  entry.annotations = oci::Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                                       {"vnd.docker.reference.digest", image.digest.str()}};
  return entry;
}

ImageSpec rich(std::string architecture) {
  ImageSpec spec;
  spec.architecture = std::move(architecture);
  spec.layers = {"base", "app " + spec.architecture};
  spec.history = {{.created_by = "/bin/sh -c #(nop) ADD file:1 in / "},
                  {.created_by = "/bin/sh -c #(nop)  ENV A=b", .empty_layer = true},
                  {.created = "2026-01-02T00:00:00Z",
                   .created_by = "RUN |1 V=1 /bin/sh -c make   install # buildkit"}};
  oci::ExecutionConfig config;
  config.user = "app";
  config.env = {"PATH=/bin"};
  config.entrypoint = std::vector<std::string>{"/app", "--flag"};
  config.cmd = std::vector<std::string>{"x y"};
  config.working_dir = "/srv";
  config.exposed_ports = {"80/tcp", "443/tcp"};
  config.volumes = {"/data"};
  config.labels = {{"l", "v"}};
  spec.execution = config;
  return spec;
}

Digest config_of(MemoryStore& store, const oci::Descriptor& image) {
  return oci::parse_manifest(store.bytes_of_blob(image.digest)).config.digest;
}

struct Two {
  MemoryStore store;
  oci::Descriptor amd64 = with_platform(put_image(store, rich("amd64")), "linux", "amd64");
  oci::Descriptor arm64 = with_platform(put_image(store, rich("arm64")), "linux", "arm64", "v8");
  oci::Descriptor attestation = attestation_of(store, amd64);
  oci::Descriptor root = put_index(store, {amd64, arm64, attestation});
};

template <typename Body>
Errc code_of(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Errc::internal;
}

/// Passes reads on, except that one digest fails in a chosen way; counts what was opened.
class FaultyReader final : public Reader {
 public:
  FaultyReader(MemoryStore& store, const Digest& digest, Errc code)
      : store_(store), digest_(digest), code_(code) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    if (blob.digest == digest_) throw Error(code_, "injected");
    return store_.open(blob);
  }

 private:
  MemoryStore& store_;
  Digest digest_;
  Errc code_;
};

/// Answers referrers() for one subject.
class ReferrersReader final : public Reader {
 public:
  ReferrersReader(MemoryStore& store, Digest subject, oci::Descriptor referrer)
      : store_(store), subject_(std::move(subject)), referrer_(std::move(referrer)) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override {
    if (subject == subject_) return std::vector<oci::Descriptor>{referrer_};
    return std::vector<oci::Descriptor>{};
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    return store_.open(blob);
  }

 private:
  MemoryStore& store_;
  Digest subject_;
  oci::Descriptor referrer_;
};

TEST(Describe, ReadsEveryImageOfAnIndex) {
  Two two;
  const Description description = describe(two.store, two.root);
  EXPECT_EQ(description.root.kind, Node::Kind::index);
  ASSERT_EQ(description.root.children.size(), 2U);
  const Node& arm64 = description.root.children[1];
  EXPECT_EQ(arm64.kind, Node::Kind::image);
  EXPECT_EQ(arm64.platform, "linux/arm64");
  ASSERT_TRUE(arm64.config);
  EXPECT_EQ(arm64.config->config->user, "app");
  ASSERT_EQ(arm64.layers.size(), 2U);
  EXPECT_EQ(arm64.layers[1].codec, "gzip");
}

TEST(Describe, FoldsAttestationsUnderWhatTheySpeakOf) {
  Two two;
  const Description description = describe(two.store, two.root);
  const auto& attestations = description.root.children[0].attestations;
  ASSERT_EQ(attestations.size(), 1U);
  EXPECT_EQ(attestations[0].kind, Node::Kind::attestation);
  EXPECT_EQ(attestations[0].platform, "");
  EXPECT_EQ(attestations[0].predicates,
            std::vector<std::string>{"https://slsa.dev/provenance/v0.2"});
  EXPECT_TRUE(description.root.children[1].attestations.empty());
}

TEST(Describe, KeepsAnAttestationThatSpeaksOfNoSibling) {
  Two two;
  const auto root = put_index(two.store, {two.arm64, two.attestation});
  const Description description = describe(two.store, root);
  ASSERT_EQ(description.root.children.size(), 2U);
  EXPECT_EQ(description.root.children[1].kind, Node::Kind::attestation);
  EXPECT_EQ(description.totals.images, 1U);
}

TEST(Describe, CountsSharedLayersOnce) {
  Two two;
  const Description description = describe(two.store, two.root);
  EXPECT_EQ(description.root.children[0].layers[0].images, 2U);
  EXPECT_EQ(description.root.children[0].layers[1].images, 1U);
  EXPECT_EQ(description.totals.images, 2U);
  EXPECT_EQ(description.totals.layers, 4U);
  EXPECT_EQ(description.totals.unique_layers, 3U);
  EXPECT_EQ(description.totals.layer_bytes, 26U);
  EXPECT_EQ(description.totals.unique_layer_bytes, 22U);
}

TEST(Describe, MatchesHistoryToLayers) {
  Two two;
  const Node image = describe(two.store, two.amd64).root;
  EXPECT_EQ(image.layers[0].created_by, "/bin/sh -c #(nop) ADD file:1 in / ");
  EXPECT_EQ(image.layers[1].created, "2026-01-02T00:00:00Z");
}

TEST(Describe, MatchesNoHistoryWhoseLengthIsWrong) {
  MemoryStore store;
  ImageSpec spec = rich("amd64");
  spec.history.pop_back();
  const Node image = describe(store, put_image(store, spec)).root;
  EXPECT_EQ(image.layers[0].created_by, "");
  EXPECT_EQ(image.layers[1].created_by, "");
}

TEST(Describe, TakesThePlatformFromTheConfigWhereTheEntryHasNone) {
  MemoryStore store;
  EXPECT_EQ(describe(store, put_image(store, {.architecture = "aarch64"})).root.platform,
            "linux/arm64");
}

TEST(Describe, NotesAChildThatIsAbsentAndGoesOn) {
  Two two;
  const auto absent = with_platform(
      oci::describe(oci::MediaType(oci::kImageManifest), "never stored"), "linux", "s390x");
  const auto root = put_index(two.store, {absent, two.amd64});
  const Description description = describe(two.store, root);
  EXPECT_NE(description.root.children[0].problem, "");
  EXPECT_EQ(description.root.children[0].kind, Node::Kind::image);
  EXPECT_EQ(description.root.children[0].platform, "linux/s390x");
  EXPECT_EQ(description.root.children[1].problem, "");
  EXPECT_EQ(description.totals.problems, 1U);
  EXPECT_EQ(description.totals.images, 1U);
}

TEST(Describe, NotesAConfigThatIsNotWhatItsDigestSays) {
  Two two;
  const auto manifest = std::get<oci::Manifest>(two.store.document(two.amd64).parsed);
  two.store.corrupt(manifest.config.digest, "{}");
  const Description description = describe(two.store, two.root);
  EXPECT_NE(description.root.children[0].problem, "");
  EXPECT_FALSE(description.root.children[0].config);
  EXPECT_EQ(description.root.children[0].layers.size(), 2U);
}

TEST(Describe, ThrowsWhatAnotherTryCouldMend) {
  Two two;
  for (const Errc code : {Errc::unavailable, Errc::unauthorized, Errc::rate_limited, Errc::io}) {
    FaultyReader reader(two.store, two.arm64.digest, code);
    EXPECT_EQ(code_of([&] { describe(reader, two.root); }), code);
  }
}

TEST(Describe, ThrowsIfTheRootIsBroken) {
  Two two;
  FaultyReader reader(two.store, two.root.digest, Errc::not_found);
  EXPECT_EQ(code_of([&] { describe(reader, two.root); }), Errc::not_found);
  EXPECT_EQ(
      code_of([&] { describe(two.store, two.store.put(oci::MediaType(oci::kImageIndex), "[]")); }),
      Errc::invalid_content);
}

TEST(Describe, StopsWhenAsked) {
  Two two;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(describe(two.store, two.root, {.stop = stop.get_token()}), Cancelled);
}

TEST(Describe, BoundsWhatItReads) {
  MemoryStore store;
  std::vector<oci::Descriptor> entries;
  for (int i = 0; i < 17; ++i) {
    entries.push_back(oci::describe(oci::MediaType(oci::kImageManifest), cat(i)));
    entries.back().size = oci::kMaxManifestBytes;
  }
  EXPECT_EQ(code_of([&] { describe(store, put_index(store, entries)); }), Errc::limit_exceeded);
}

TEST(Describe, NotesDocumentsAndConfigsThatAreTooLargeToRead) {
  MemoryStore store;
  oci::Descriptor huge = oci::describe(oci::MediaType(oci::kImageManifest), "a");
  huge.size = INT64_MAX;
  oci::Manifest manifest{.config = oci::describe(oci::MediaType(oci::kImageConfig), "b")};
  manifest.config.size = INT64_MAX;
  const Description description =
      describe(store, put_index(store, {huge, huge, huge, put_manifest(store, manifest)}));
  for (const Node& child : description.root.children) EXPECT_NE(child.problem, "");
  EXPECT_EQ(description.totals.problems, 4U);
}

TEST(Describe, BoundsTheDepthOfIndexes) {
  MemoryStore store;
  oci::Descriptor root = put_image(store, {});
  for (std::size_t i = 0; i < oci::kMaxIndexDepth; ++i) root = put_index(store, {root});
  EXPECT_EQ(describe(store, root).totals.images, 1U);
  root = put_index(store, {root});
  EXPECT_EQ(code_of([&] { describe(store, root); }), Errc::limit_exceeded);
}

TEST(Describe, SumsOfHugeLayersDoNotWrapAround) {
  MemoryStore store;
  oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kEmptyJson), "{}")};
  for (const char* content : {"a", "b", "c"}) {
    manifest.layers.push_back(layer_of(content));
    manifest.layers.back().size = INT64_MAX;
  }
  EXPECT_EQ(describe(store, put_manifest(store, manifest)).root.layer_bytes(), UINT64_MAX);
}

TEST(Describe, NamesEntriesOfUnknownTypesWithoutReadingThem) {
  MemoryStore store;
  oci::Descriptor odd = oci::describe("application/x-new", "never stored");
  odd.size = INT64_MAX / 2;
  odd.artifact_type = "application/x-type";
  const Description description = describe(store, put_index(store, {odd}));
  ASSERT_EQ(description.root.children.size(), 1U);
  EXPECT_EQ(description.root.children[0].kind, Node::Kind::other);
  EXPECT_EQ(description.root.children[0].problem, "");
  EXPECT_EQ(description.root.children[0].artifact_type, "application/x-type");
}

TEST(Describe, ShowsAnArtifactWithItsSubject) {
  MemoryStore store;
  oci::Manifest manifest{.config = store.put("application/vnd.example.config", "{}")};
  manifest.layers = {layer_of("sbom", "application/spdx+json")};
  manifest.subject = put_image(store, {});
  const Node node = describe(store, put_manifest(store, manifest)).root;
  EXPECT_EQ(node.kind, Node::Kind::artifact);
  EXPECT_EQ(node.artifact_type, "application/vnd.example.config");
  EXPECT_EQ(node.subject, manifest.subject->digest);
  EXPECT_EQ(node.layers[0].codec, "");
}

TEST(Describe, FlagsLayersWhoseFilesCanBeReadOneByOne) {
  MemoryStore store;
  oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kEmptyJson), "{}")};
  manifest.layers = {layer_of("a"), layer_of("b"), layer_of("c")};
  manifest.layers[0].annotations =
      oci::Annotations{{"containerd.io/snapshot/stargz/toc.digest", "sha256:x"}};
  manifest.layers[1].annotations =
      oci::Annotations{{"io.github.containers.zstd-chunked.manifest-checksum", "sha256:x"}};
  const Node node = describe(store, put_manifest(store, manifest)).root;
  EXPECT_EQ(node.layers[0].packing, "estargz");
  EXPECT_EQ(node.layers[1].packing, "zstd:chunked");
  EXPECT_EQ(node.layers[2].packing, "");
}

TEST(Describe, AsksForReferrersOnlyWhereWanted) {
  Two two;
  oci::Descriptor referrer = oci::describe(oci::MediaType(oci::kImageManifest), "signature");
  referrer.artifact_type = "application/vnd.example.signature";
  ReferrersReader reader(two.store, two.arm64.digest, referrer);
  EXPECT_FALSE(describe(reader, two.root).root.children[1].referrers);
  const Description description = describe(reader, two.root, {.referrers = true});
  ASSERT_TRUE(description.root.referrers);
  EXPECT_TRUE(description.root.referrers->empty());
  ASSERT_EQ(description.root.children[1].referrers->size(), 1U);
  EXPECT_EQ(description.root.children[1].referrers->at(0).artifact_type,
            "application/vnd.example.signature");
  EXPECT_THAT(to_text(description, {}), HasSubstr("referrer: artifact"));
}

TEST(Describe, FindsSignaturesByCosignsTags) {
  MemoryStore store;
  const auto image = put_image(store, {});
  const auto signature = put_image(store, {.layers = {"signature"}});
  const std::string tag = cat("sha256-", image.digest.encoded(), ".sig");
  store.tag({tag}, signature);
  const Node node = describe(store, image, {.referrers = true}).root;
  ASSERT_TRUE(node.referrers);
  ASSERT_EQ(node.referrers->size(), 1U);
  EXPECT_EQ(node.referrers->at(0).tag, tag);
  EXPECT_EQ(node.referrers->at(0).descriptor.digest, signature.digest);
}

TEST(Describe, FoldsReferrersOfReferrers) {
  MemoryStore store;
  const auto image = put_image(store, {});
  const auto attach = [&](const oci::Descriptor& subject, const std::string& type) {
    oci::Manifest manifest{.artifact_type = type, .config = store.put("application/x", "{}")};
    manifest.subject = subject;
    return put_manifest(store, manifest);
  };
  const auto sbom = attach(image, "application/spdx+json");
  const auto signature = attach(sbom, "application/vnd.cncf.notary.signature");
  const Node node = describe(store, image, {.referrers = true}).root;
  ASSERT_TRUE(node.referrers);
  ASSERT_EQ(node.referrers->size(), 1U);
  const Node& found = node.referrers->at(0);
  EXPECT_EQ(found.descriptor.digest, sbom.digest);
  ASSERT_TRUE(found.referrers);
  ASSERT_EQ(found.referrers->size(), 1U);
  EXPECT_EQ(role_of(found.referrers->at(0)), "signature");
  EXPECT_EQ(found.referrers->at(0).descriptor.digest, signature.digest);
}

TEST(Describe, ListsTagsInsteadOfAskingForEachOfManyImages) {
  MemoryStore store;
  std::vector<oci::Descriptor> entries;
  for (int i = 0; i < 12; ++i) {
    ImageSpec spec{.layers = {cat("layer ", i)}};
    entries.push_back(with_platform(put_image(store, spec), "linux", cat("arch", i)));
  }
  const auto root = put_index(store, entries);
  const auto signature = put_image(store, {.layers = {"signature"}});
  store.tag({cat("sha256-", entries[7].digest.encoded(), ".sig")}, signature);
  const Node node = describe(store, root, {.referrers = true}).root;
  ASSERT_TRUE(node.children[7].referrers);
  ASSERT_EQ(node.children[7].referrers->size(), 1U);
  EXPECT_EQ(node.children[7].referrers->at(0).descriptor.digest, signature.digest);
  EXPECT_TRUE(node.children[6].referrers->empty());
}

TEST(Describe, DecodesStatementsOnlyWhereAsked) {
  MemoryStore store;
  const auto image = with_platform(put_image(store, {}), "linux", "amd64");
  const std::string statement =
      R"({"predicateType":"https://slsa.dev/provenance/v0.2","predicate":{"builder":{"id":"me"},
          "materials":[{"uri":"pkg:docker/debian@12?platform=linux%2Famd64",
                        "digest":{"sha256":")" +
      std::string(64, 'a') + R"("}}]}})";
  oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kImageConfig), "{}")};
  manifest.layers = {store.put("application/vnd.in-toto+json", statement)};
  manifest.layers[0].annotations =
      oci::Annotations{{"in-toto.io/predicate-type", "https://slsa.dev/provenance/v0.2"}};
  oci::Descriptor attestation = with_platform(put_manifest(store, manifest), "unknown", "unknown");
  attestation.annotations = oci::Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                                             {"vnd.docker.reference.digest", image.digest.str()}};
  const auto root = put_index(store, {image, attestation});
  EXPECT_TRUE(describe(store, root).root.children[0].attestations[0].statements.empty());
  EXPECT_TRUE(
      describe(store, root, {.sbom = true}).root.children[0].attestations[0].statements.empty());
  Description description = describe(store, root, {.provenance = true});
  const Node& node = description.root.children[0];
  ASSERT_EQ(node.attestations[0].statements.size(), 1U);
  EXPECT_EQ(node.attestations[0].statements[0].provenance->builder, "me");
  ASSERT_TRUE(node.base);
  EXPECT_EQ(node.base->name, "debian:12");
  EXPECT_EQ(node.base->source, BaseImage::Source::provenance);
  EXPECT_THAT(to_text(description, {}), HasSubstr("builder me"));
  EXPECT_THAT(to_text(description, {}), Not(HasSubstr("unknown/unknown")));
  drop_provenance(description);
  EXPECT_TRUE(description.root.children[0].attestations[0].statements.empty());
}

TEST(Describe, TellsTheUnpackedSizeWhereAllLayersTellTheirs) {
  MemoryStore store;
  oci::Descriptor star = layer_of("star");
  star.annotations = oci::Annotations{{"io.containers.estargz.uncompressed-size", "1000"}};
  oci::Manifest manifest{.config = store.put("application/x", "{}"),
                         .layers = {layer_of("plain", oci::kImageLayer), star}};
  EXPECT_EQ(describe(store, put_manifest(store, manifest)).root.unpacked_bytes(), 1005U);
  manifest.layers.push_back(layer_of("gzip"));
  EXPECT_EQ(describe(store, put_manifest(store, manifest)).root.unpacked_bytes(), std::nullopt);
}

TEST(FindTags, ListsTheNamesOfTheSameDigest) {
  MemoryStore store;
  const auto image = put_image(store, {});
  const auto other = put_image(store, {.layers = {"other"}});
  store.tag({"1.0"}, image);
  store.tag({"1"}, image);
  store.tag({"2"}, other);
  Description description = describe(store, image);
  find_tags(description, store);
  EXPECT_EQ(*description.tags, (std::vector<std::string>{"1", "1.0"}));
}

struct Based {
  MemoryStore store;
  oci::Descriptor base = put_image(store, {.layers = {"base"}});
  oci::Descriptor newer = put_image(store, {.layers = {"newer"}});
  /// An image on `base` whose annotations have these values.
  BaseImage checked(const oci::Annotations& annotations, const oci::Descriptor& now) {
    oci::Manifest manifest = oci::parse_manifest(
        store.bytes_of_blob(put_image(store, {.layers = {"base", "app"}}).digest));
    manifest.annotations = annotations;
    Description description = describe(store, put_manifest(store, manifest));
    check_bases(description, [&](const std::string& name) {
      EXPECT_EQ(name, "registry.example/base:1");
      return OpenedBase{.reader = std::shared_ptr<Reader>(&store, [](Reader*) {}), .root = now};
    });
    return *description.root.base;
  }
};

TEST(CheckBases, ComparesTheDigestOfThenAndNow) {
  Based based;
  const oci::Annotations annotations = {
      {"org.opencontainers.image.base.name", "registry.example/base:1"},
      {"org.opencontainers.image.base.digest", based.base.digest.str()}};
  EXPECT_EQ(based.checked(annotations, based.base).state, BaseImage::State::current);
  const auto index = put_index(based.store, {with_platform(based.base, "linux", "amd64")});
  EXPECT_EQ(based.checked(annotations, index).state, BaseImage::State::current);
  const BaseImage moved = based.checked(annotations, based.newer);
  EXPECT_EQ(moved.state, BaseImage::State::moved);
  EXPECT_EQ(moved.now, based.newer.digest);
}

TEST(CheckBases, ComparesLayersWhereNoDigestIsKnown) {
  Based based;
  const oci::Annotations annotations = {
      {"org.opencontainers.image.base.name", "registry.example/base:1"}};
  EXPECT_EQ(based.checked(annotations, based.base).state, BaseImage::State::current);
  EXPECT_EQ(based.checked(annotations, based.newer).state, BaseImage::State::moved);
}

TEST(CheckBases, NotesWhatCannotBeKnown) {
  Based based;
  const oci::Descriptor gone = oci::describe(oci::MediaType(oci::kImageManifest), "gone");
  const BaseImage base =
      based.checked({{"org.opencontainers.image.base.name", "registry.example/base:1"}}, gone);
  EXPECT_EQ(base.state, BaseImage::State::unknown);
  EXPECT_NE(base.problem, "");
}

TEST(Describe, SaysTheSameForAnyNumberOfJobs) {
  Two two;
  const std::string one = to_json(describe(two.store, two.root, {.jobs = 1}));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(to_json(describe(two.store, two.root, {.jobs = 8})), one);
  }
}

TEST(DescribeText, DrawsATree) {
  Two two;
  const std::string expected = cat("index  ", two.root.digest.str(), R"(  2 entries
|  media type application/vnd.oci.image.index.v1+json
|- linux/amd64  )",
                                   two.amd64.digest.brief(), R"(  13 B in 2 layers
|  |  config )",
                                   config_of(two.store, two.amd64).brief(), R"(  676 B
|  |  created 2026-01-02T03:04:05Z
|  |  user app
|  |  entrypoint ["/app", "--flag"]
|  |  cmd ["x y"]
|  |  workdir /srv
|  |  env PATH=/bin
|  |  ports 443/tcp, 80/tcp
|  |  volumes /data
|  |  label l=v
|  |- layer 1       4 B  gzip      )",
                                   sha256_of("base").brief(),
                                   R"(  in 2 of 2 images  ADD file:1 in /
|  |- layer 2       9 B  gzip      )",
                                   sha256_of("app amd64").brief(),
                                   R"(                    RUN make install
|  `- attestation  )",
                                   two.attestation.digest.brief(),
                                   R"(  9 B in 1 blob  https://slsa.dev/provenance/v0.2
`- linux/arm64  )");
  const std::string text = to_text(describe(two.store, two.root), {.ascii = true});
  EXPECT_EQ(text.substr(0, expected.size()), expected);
  EXPECT_THAT(text, testing::EndsWith("\n2 images, 4 layers of 26 B; stored once each: 3 layers "
                                      "of 22 B, 15 % less\n"));
}

TEST(DescribeText, ShowsOneImageInFullWhereAskedTo) {
  Two two;
  const std::string text =
      to_text(describe(two.store, two.root), {.only_full = "linux/arm64", .ascii = true});
  EXPECT_THAT(text, HasSubstr(cat("|- linux/amd64  ", two.amd64.digest.brief(),
                                  "  13 B in 2 layers  1 attached\n`- linux/arm64")));
  EXPECT_THAT(text, HasSubstr("--all shows all\n"));
}

TEST(DescribeText, TellsWhatACopyWouldMove) {
  Two two;
  Description description = describe(two.store, two.root);
  description.against = CopyCost{
      .destination = "oci:x", .bytes_to_move = 1500, .bytes_existing = 20, .blobs_to_move = 1};
  EXPECT_THAT(to_text(description, {}),
              testing::EndsWith("copy to oci:x: 1.5 kB to move in 1 blob, 20 B there already\n"));
}

TEST(DescribeText, IsHarmlessToTerminals) {
  MemoryStore store;
  ImageSpec spec = rich("amd64");
  spec.execution->labels = {{"evil\x1b[2J",
                             "a\x07\n\xC2\x9B"
                             "b"}};
  spec.execution->cmd = std::vector<std::string>{"\x1b]0;x\x07", "\x7F"};
  spec.history[0].created_by = "\x1b[31mred\rover";
  const std::string text = to_text(describe(store, put_image(store, spec)), {});
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
    EXPECT_NE(c, '\x7F');
  }
  EXPECT_THAT(text, Not(HasSubstr("\xC2\x9B")));
}

TEST(DescribeText, CutsLinesAtTheWidth) {
  Two two;
  const Description description = describe(two.store, two.root);
  for (const bool ascii : {false, true}) {
    const std::string text = to_text(description, {.width = 30, .ascii = ascii});
    for (const std::string_view line : split(text, '\n')) {
      const auto columns =
          std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
      EXPECT_LE(columns, 30) << line;
    }
    EXPECT_THAT(text, HasSubstr(ascii ? "~\n" : "…\n"));
  }
}

TEST(DescribeText, ColoursOnlyWhereAsked) {
  Two two;
  const Description description = describe(two.store, two.root);
  EXPECT_THAT(to_text(description, {.colour = true}), HasSubstr("\x1b[1mlinux/amd64"));
  EXPECT_THAT(to_text(description, {}), Not(HasSubstr("\x1b")));
}

TEST(DescribeJson, HasAFixedOrderAndLeavesEmptyMembersOut) {
  MemoryStore store;
  const auto image = put_image(store, {});
  const auto manifest = std::get<oci::Manifest>(store.document(image).parsed);
  EXPECT_EQ(
      to_json(describe(store, image)),
      cat(R"({"kind":"image","mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")",
          image.digest.str(), R"(","size":)", image.size, R"(,"platform":"linux/amd64","config":)",
          R"({"digest":")", manifest.config.digest.str(), R"(","size":)", manifest.config.size,
          R"(,"mediaType":"application/vnd.oci.image.config.v1+json",)",
          R"("created":"2026-01-02T03:04:05Z"},"layers":[{"digest":")", sha256_of("base").str(),
          R"(","size":4,"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",)",
          R"("codec":"gzip","images":1}],"layerBytes":4,"totals":{"images":1,"layers":1,)",
          R"("uniqueLayers":1,"layerBytes":4,"uniqueLayerBytes":4,"problems":0}})"));
}

TEST(DescribeJson, IsJsonWhateverTheDocumentsHold) {
  MemoryStore store;
  ImageSpec spec = rich("amd64");
  spec.execution->labels = {{"\"\\\x01", "\x7F\xC2\x9B"}};
  spec.execution->healthcheck = oci::Healthcheck{.test = {"CMD", "x"}, .interval = 5};
  const std::string json = to_json(describe(store, put_image(store, spec)));
  EXPECT_NO_THROW(oci::pretty_json(json)) << json;
  EXPECT_THAT(json, HasSubstr(R"("healthcheck":{"test":["CMD","x"],"interval":5})"));
}

}  // namespace
}  // namespace lade::image
