#include "libimage/image/index_edit.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

#include "tests/image/fixture.h"

namespace lade::image {
namespace {

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

oci::Descriptor entry(const std::string& content, const std::string& architecture) {
  return with_platform(oci::describe(oci::MediaType(oci::kImageManifest), content), "linux",
                       architecture);
}

oci::Descriptor attestation_of(const oci::Descriptor& image, const std::string& content) {
  oci::Descriptor out = with_platform(oci::describe(oci::MediaType(oci::kImageManifest), content),
                                      "unknown", "unknown");
  out.annotations = oci::Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                                     {"vnd.docker.reference.digest", image.digest.str()}};
  return out;
}

TEST(EntryFor, TakesThePlatformFromTheConfig) {
  MemoryStore store;
  const auto image = put_image(store, {.architecture = "aarch64", .variant = "v8"});
  const oci::Descriptor listed = entry_for(store, image);
  EXPECT_EQ(listed.digest, image.digest);
  EXPECT_EQ(listed.size, image.size);
  EXPECT_EQ(listed.media_type, oci::kImageManifest);
  EXPECT_EQ(listed.platform, (oci::Platform{.architecture = "arm64", .os = "linux"}));
}

TEST(EntryFor, TakesTheArtifactType) {
  MemoryStore store;
  oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kEmptyJson), "{}")};
  manifest.artifact_type = "application/x.sbom+json";
  const oci::Descriptor listed = entry_for(store, put_manifest(store, manifest));
  EXPECT_EQ(listed.artifact_type, "application/x.sbom+json");
  EXPECT_FALSE(listed.platform);
}

TEST(EntryFor, ListsAnIndexWithoutAPlatform) {
  MemoryStore store;
  const auto inner = put_index(store, {put_image(store, {})});
  EXPECT_FALSE(entry_for(store, inner).platform);
}

TEST(EntryFor, RefusesUnknownTypes) {
  MemoryStore store;
  const auto odd = store.put("application/x-odd", "?");
  EXPECT_EQ(code_of([&] { entry_for(store, odd); }), Errc::unsupported);
}

TEST(EntryFor, LeavesThePlatformOutWhereTheConfigHasNone) {
  MemoryStore store;
  EXPECT_FALSE(entry_for(store, put_image(store, {.os = ""})).platform);
}

TEST(WithEntry, KeepsTheOrderAndReplacesTheSameDigestInPlace) {
  const auto a = entry("a", "amd64");
  const auto b = entry("b", "arm64");
  auto edited = a;
  edited.annotations = oci::Annotations{{"k", "v"}};
  const oci::Index index = with_entry(make_index({a, b}), edited);
  ASSERT_EQ(index.manifests.size(), 2U);
  EXPECT_EQ(index.manifests[0], edited);
  EXPECT_EQ(index.manifests[1], b);
}

TEST(WithEntry, RefusesTheSamePlatformWhereAsked) {
  const oci::Index index = make_index({entry("a", "amd64")});
  EXPECT_EQ(code_of([&] { with_entry(index, entry("b", "x86_64"), SamePlatform::refuse); }),
            Errc::already_exists);
  EXPECT_EQ(with_entry(index, entry("b", "amd64")).manifests.size(), 2U);
}

TEST(WithEntry, ReplacesAPlatformTogetherWithItsAttestations) {
  const auto old = entry("a", "amd64");
  const auto other = entry("b", "arm64");
  const oci::Index index =
      make_index({old, other, attestation_of(old, "att a"), attestation_of(other, "att b")});
  const oci::Index edited = with_entry(index, entry("c", "amd64"), SamePlatform::replace);
  ASSERT_EQ(edited.manifests.size(), 3U);
  EXPECT_EQ(edited.manifests[0], other);
  EXPECT_EQ(edited.manifests[1], attestation_of(other, "att b"));
  EXPECT_EQ(edited.manifests[2], entry("c", "amd64"));
}

TEST(WithEntry, NeverTakesAttestationsForTheSamePlatform) {
  const auto image = entry("a", "amd64");
  const oci::Index index = make_index({image, attestation_of(image, "1")});
  EXPECT_EQ(with_entry(index, attestation_of(image, "2"), SamePlatform::replace).manifests.size(),
            3U);
}

TEST(WithEntry, RefusesOciEntriesInADockerList) {
  EXPECT_EQ(code_of([&] { make_index({entry("a", "amd64")}, oci::Family::docker); }),
            Errc::unsupported);
}

TEST(WithEntry, RefusesMoreEntriesThanAnyoneReads) {
  oci::Index index;
  index.manifests.assign(oci::kMaxDescriptors, entry("a", "amd64"));
  EXPECT_EQ(code_of([&] { with_entry(index, entry("b", "arm64")); }), Errc::limit_exceeded);
}

TEST(WithoutEntry, TakesTheAttestationsAlong) {
  const auto a = entry("a", "amd64");
  const auto b = entry("b", "arm64");
  const oci::Index index = make_index({a, b, attestation_of(a, "att")});
  EXPECT_EQ(without_entry(index, a.digest).manifests, std::vector<oci::Descriptor>{b});
  EXPECT_EQ(code_of([&] { without_entry(index, sha256_of("none")); }), Errc::not_found);
}

TEST(WithEditedEntry, ChangesPlatformAndAnnotations) {
  const auto a = entry("a", "arm");
  EntryEdit edit{.annotations = {.set = {{"k", "v"}}, .remove = {"gone"}},
                 .variant = "v6",
                 .os_features = std::vector<std::string>{"f"}};
  const oci::Index index = with_edited_entry(make_index({a}), a.digest, edit);
  const oci::Descriptor& changed = index.manifests[0];
  EXPECT_EQ(changed.annotation("k"), "v");
  EXPECT_EQ(changed.platform->variant, "v6");
  EXPECT_EQ(changed.platform->architecture, "arm");
  EXPECT_EQ(changed.platform->os_features, std::vector<std::string>{"f"});
}

TEST(WithEditedEntry, RemovesWhatBecomesEmpty) {
  auto a = entry("a", "arm");
  a.annotations = oci::Annotations{{"k", "v"}};
  const EntryEdit edit{.annotations = {.remove = {"k"}}, .os = "", .architecture = ""};
  const oci::Index index = with_edited_entry(make_index({a}), a.digest, edit);
  EXPECT_FALSE(index.manifests[0].annotations);
  EXPECT_FALSE(index.manifests[0].platform);
}

TEST(WithEditedEntry, RefusesHalfAPlatform) {
  const auto a = oci::describe(oci::MediaType(oci::kImageManifest), "a");
  EXPECT_EQ(code_of([&] { with_edited_entry(make_index({a}), a.digest, {.os = "linux"}); }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { with_edited_entry(make_index({}), a.digest, {}); }), Errc::not_found);
}

TEST(WithAnnotations, EditsTheIndexItself) {
  const oci::Index index = with_annotations(oci::Index{}, {.set = {{"a", "1"}, {"b", "2"}}});
  EXPECT_EQ(index.annotations, (oci::Annotations{{"a", "1"}, {"b", "2"}}));
  EXPECT_FALSE(with_annotations(index, {.remove = {"a", "b", "c"}}).annotations);
  EXPECT_EQ(code_of([] {
              with_annotations(make_index({}, oci::Family::docker), {.set = {{"a", "1"}}});
            }),
            Errc::unsupported);
}

}  // namespace
}  // namespace lade::image
