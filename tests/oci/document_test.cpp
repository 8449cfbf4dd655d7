#include "libimage/oci/document.h"

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

#include "tests/oci/expect.h"

namespace lade::oci {
namespace {

#define LADE_CONFIG                                                                        \
  R"({"mediaType":"application/vnd.oci.image.config.v1+json",)"                            \
  R"("digest":"sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",)" \
  R"("size":7023})"
#define LADE_LAYER                                                                         \
  R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",)"                         \
  R"("digest":"sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",)" \
  R"("size":32654})"
#define LADE_ENTRY                                                                         \
  R"({"mediaType":"application/vnd.oci.image.manifest.v1+json",)"                          \
  R"("digest":"sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",)" \
  R"("size":7143,"platform":{"architecture":"ppc64le","os":"linux"}})"

constexpr std::string_view kManifestText =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
    R"("config":)" LADE_CONFIG R"(,"layers":[)" LADE_LAYER "]}";
constexpr std::string_view kIndexText =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)"
    R"("manifests":[)" LADE_ENTRY "]}";

TEST(Manifest, ReadsEveryMember) {
  const Manifest manifest = parse_manifest(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
      R"("artifactType":"application/vnd.example+type","config":)" LADE_CONFIG
      R"(,"layers":[)" LADE_LAYER "," LADE_LAYER R"(],"subject":)" LADE_ENTRY
      R"(,"annotations":{"com.example.key1":"value1"},"later":{"x":[]}})");
  EXPECT_EQ(manifest.media_type, kImageManifest);
  EXPECT_EQ(manifest.artifact_type, "application/vnd.example+type");
  EXPECT_EQ(manifest.config.size, 7023U);
  EXPECT_EQ(manifest.layers.size(), 2U);
  ASSERT_TRUE(manifest.subject);
  EXPECT_EQ(manifest.subject->size, 7143U);
  EXPECT_EQ(manifest.annotations, (Annotations{{"com.example.key1", "value1"}}));
  EXPECT_EQ(manifest.unknown, (UnknownMembers{{"later", R"({"x":[]})"}}));
}

TEST(Manifest, ComesOutAsItWentInWhereItIsCanonical) {
  EXPECT_EQ(serialise(parse_manifest(kManifestText)), kManifestText);
}

TEST(Manifest, MayLackItsMediaType) {
  const std::string text = replaced(
      std::string(kManifestText),
      R"("mediaType":"application/vnd.oci.image.manifest.v1+json","config")", R"("config")");
  const Manifest manifest = parse_manifest(text, kImageManifest);
  EXPECT_EQ(manifest.media_type, "");
  EXPECT_EQ(serialise(manifest), text);
}

TEST(Manifest, MayHaveNoLayers) {
  EXPECT_TRUE(parse_manifest(replaced(std::string(kManifestText), LADE_LAYER, "")).layers.empty());
}

TEST(Manifest, KeepsUnknownMembersAndTheSpellingOfNumbers) {
  const std::string text =
      R"({"schemaVersion":2,"config":)" LADE_CONFIG
      R"(,"layers":[],"a":1.50,"b":123456789012345678901234567890,"c":-1E+2,"d":"\u0001é"})";
  EXPECT_EQ(serialise(parse_manifest(text)), text);
}

TEST(Manifest, ReadsDockersSchema2) {
  const Manifest manifest = parse_manifest(
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
      R"("config":)" LADE_CONFIG R"(,"layers":[]})",
      kDockerManifest);
  EXPECT_EQ(manifest.media_type, kDockerManifest);
}

#define LADE_HEAD R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":[])"
constexpr Bad kBadManifests[] = {
    {"", "manifest: not valid JSON"},
    {"nonsense", "not valid JSON at byte"},
    {"{", "not valid JSON at byte"},
    {"{} {}", "not valid JSON"},
    {"{\"a\":1,}", "not valid JSON"},
    {"{\"a\":01}", "not valid JSON"},
    {"{\"a\":NaN}", "not valid JSON"},
    {"{\"a\":1e999}", "not valid JSON"},
    {"{'a':1}", "not valid JSON"},
    {"{/**/}", "not valid JSON"},
    {"{\"a\":\"\t\"}", "not valid JSON"},
    {"{\"a\":\"\\ud800\"}", "not valid JSON"},
    {"{\"a\":\"\\x\"}", "not valid JSON"},
    {"[]", "manifest: is an array, not an object"},
    {"null", "manifest: is null, not an object"},
    {"7", "manifest: is a number, not an object"},
    {"{}", "manifest: schemaVersion: is missing"},
    {"\xEF\xBB\xBF{}", "byte order mark"},
    {std::string_view("{}\0", 3), "a byte 0"},
    {std::string_view("{}\0garbage", 10), "a byte 0"},
    {"{\"a\":\"\xFF\"}", "manifest: not UTF-8"},
    {"{\"a\":\"\xC0\x80\"}", "not UTF-8"},
    {"{\"a\":\"\xED\xA0\x80\"}", "not UTF-8"},
    {R"({"schemaVersion":"2"})", "schemaVersion: is a string, not an integer"},
    {R"({"schemaVersion":3})", "schemaVersion: is 3, not 2"},
    {R"({"schemaVersion":2.0})", "schemaVersion: is 2.0"},
    {R"({"schemaVersion":-2})", "schemaVersion: is -2"},
    {R"({"schemaVersion":1})", "Docker's old schema", Errc::unsupported},
    {R"({"schemaVersion":2,"schemaVersion":2})", "member 'schemaVersion' occurs twice"},
    {R"({"schemaVersion":2,"x":{"y":[{"z":1,"z":2}]}})", "x.y[0]: member 'z' occurs twice"},
    {R"({"schemaVersion":2,"x":{"a":1,"\u0061":2}})", "x: member 'a' occurs twice"},
    {R"({"schemaVersion":2,"layers":[]})", "manifest: config: is missing"},
    {R"({"schemaVersion":2,"config":null,"layers":[]})", "manifest: config: is null"},
    {R"({"schemaVersion":2,"config":[],"layers":[]})", "config: is an array, not an object"},
    {R"({"schemaVersion":2,"config":{},"layers":[]})", "config.digest: is missing"},
    {R"({"schemaVersion":2,"config":)" LADE_CONFIG "}", "manifest: layers: is missing"},
    {R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":null})", "layers: is null"},
    {R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":{}})", "layers: is an object"},
    {R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":[)" LADE_LAYER R"(,null]})",
     "manifest: layers[1]: is null"},
    {LADE_HEAD R"(,"annotations":{"a":[]}})", "annotations['a']: is an array"},
    {LADE_HEAD R"(,"annotations":"x"})", "annotations: is a string"},
    {LADE_HEAD R"(,"subject":{}})", "subject.digest: is missing"},
    {LADE_HEAD R"(,"subject":[]})", "subject: is an array"},
    {LADE_HEAD R"(,"artifactType":"none"})", "artifactType: 'none' is not a media type"},
    {LADE_HEAD R"(,"mediaType":1})", "mediaType: is a number"},
    {LADE_HEAD R"(,"mediaType":"nonsense"})", "mediaType: 'nonsense' is not a media type"},
    {LADE_HEAD R"(,"mediaType":"application/vnd.oci.image.index.v1+json"})",
     "mediaType: is 'application/vnd.oci.image.index.v1+json'"},
    {LADE_HEAD R"(,"mediaType":"application/json"})", "mediaType: is 'application/json'"},
    // One blob valid as manifest and as index: GHSA-77vh-xpmg-72qh, CVE-2021-41190.
    {LADE_HEAD R"(,"manifests":[]})", "manifests: belongs to another kind of document"},
    {LADE_HEAD R"(,"manifests":null})", "manifests: belongs to another kind of document"},
    {LADE_HEAD R"(,"Manifests":[]})", "Manifests: belongs to another kind of document"},
    {LADE_HEAD R"(,"fsLayers":[]})", "fsLayers: belongs to another kind of document"},
    {LADE_HEAD R"(,"history":[]})", "history: belongs to another kind of document"},
    {LADE_HEAD R"(,"Layers":[]})", "Layers: differs from 'layers' by upper and lower case only"},
    {LADE_HEAD R"(,"CONFIG":{}})", "CONFIG: differs from 'config'"},
    {LADE_HEAD R"(,"mediatype":"x"})", "mediatype: differs from 'mediaType'"},
};

TEST(Manifest, RefusesWhatTheSpecificationForbids) {
  for (const Bad& bad : kBadManifests) {
    expect_refused(bad, [](std::string_view text) { parse_manifest(text); });
  }
}

TEST(Manifest, RefusesATypeThatWasNotAnnounced) {
  const auto as = [](std::string_view expected) {
    return [expected](std::string_view text) { parse_manifest(text, expected); };
  };
  expect_refused({kManifestText, "was announced"}, as(kDockerManifest));
  expect_refused({kManifestText, "it was announced as 'application/vnd.oci.image.index.v1+json'"},
                 as(kImageIndex));
  expect_refused({kManifestText, "it was announced as 'text/html'"}, as("text/html"));
}

TEST(Manifest, BoundsDepthBeforeAnythingRecurses) {
  for (const std::string& text :
       {std::string(kMaxManifestBytes, '['), cat("{\"a\":", std::string(1'000'000, '['))}) {
    expect_refused({text, "manifest: JSON nested deeper than 64 levels", Errc::limit_exceeded},
                   [](std::string_view json) { parse_manifest(json); });
  }
  std::string objects;
  while (objects.size() < 100'000) objects += R"({"a":)";
  expect_refused({objects, "nested deeper", Errc::limit_exceeded},
                 [](std::string_view json) { parse_manifest(json); });
  const std::string deep = cat(std::string(62, '['), std::string(62, ']'));
  EXPECT_NO_THROW(parse_manifest(cat(LADE_HEAD R"(,"x":)", deep, "}")));
}

TEST(Manifest, BoundsSizeAndNumberOfValues) {
  expect_refused(
      {std::string(kMaxManifestBytes + 1, ' '), "bytes, more than", Errc::limit_exceeded},
      [](std::string_view json) { parse_manifest(json); });
  std::string many = "[0";
  while (many.size() < 2'000'000) many += ",0";
  expect_refused({many + "]", "JSON values", Errc::limit_exceeded},
                 [](std::string_view json) { parse_manifest(json); });
}

TEST(Manifest, BoundsTheNumberOfLayers) {
  std::string layers = "{}";
  for (std::size_t i = 0; i < kMaxDescriptors; ++i) layers += ",{}";
  expect_refused({cat(R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":[)", layers, "]}"),
                  "layers: has 10001 items, more than 10000", Errc::limit_exceeded},
                 [](std::string_view json) { parse_manifest(json); });
}

TEST(Index, ReadsEveryMember) {
  const Index index =
      parse_index(R"({"schemaVersion":2,"artifactType":"a/b","manifests":[)" LADE_ENTRY
                  "," LADE_ENTRY R"(],"subject":)" LADE_ENTRY R"(,"annotations":{},"z":null})");
  EXPECT_EQ(index.media_type, "");
  EXPECT_EQ(index.artifact_type, "a/b");
  EXPECT_EQ(index.manifests.size(), 2U);
  EXPECT_TRUE(index.subject);
  EXPECT_EQ(index.annotations, Annotations());
  EXPECT_EQ(index.unknown, (UnknownMembers{{"z", "null"}}));
}

TEST(Index, ComesOutAsItWentInWhereItIsCanonical) {
  EXPECT_EQ(serialise(parse_index(kIndexText)), kIndexText);
}

TEST(Index, MayBeEmpty) {
  EXPECT_TRUE(parse_index(R"({"schemaVersion":2,"manifests":[]})").manifests.empty());
}

TEST(Index, ListsTypesThatNobodyKnows) {
  const Index index = parse_index(
      R"({"schemaVersion":2,"manifests":[{"mediaType":"application/customized.manifest+json",)"
      R"("digest":"sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",)"
      R"("size":7143}]})");
  EXPECT_EQ(index.manifests[0].media_type, "application/customized.manifest+json");
}

constexpr Bad kBadIndexes[] = {
    {"{}", "index: schemaVersion: is missing"},
    {R"({"schemaVersion":2})", "index: manifests: is missing"},
    {R"({"schemaVersion":2,"manifests":null})", "index: manifests: is null"},
    {R"({"schemaVersion":2,"manifests":{}})", "index: manifests: is an object, not an array"},
    {R"({"schemaVersion":2,"manifests":[],"manifests":[]})", "member 'manifests' occurs twice"},
    {R"({"schemaVersion":2,"manifests":[],"layers":[]})", "layers: belongs to another kind"},
    {R"({"schemaVersion":2,"manifests":[],"config":{}})", "config: belongs to another kind"},
    {R"({"schemaVersion":2,"manifests":[],"LAYERS":null})", "LAYERS: belongs to another kind"},
    {R"({"schemaVersion":2,"manifests":[],"signatures":[]})", "signatures: belongs to another"},
    {R"({"schemaVersion":2,"manifests":[],"annotations":[]})", "annotations: is an array"},
    {R"({"schemaVersion":2,"manifests":[],"subject":7})", "subject: is a number"},
    {R"({"schemaVersion":2,"manifests":[],"mediaType":)"
     R"("application/vnd.oci.image.manifest.v1+json"})",
     "mediaType: is 'application/vnd.oci.image.manifest.v1+json'"},
    {R"({"schemaVersion":2,"manifests":[],"ManiFests":[]})",
     "ManiFests: differs from 'manifests' by upper and lower case only"},
};

TEST(Index, RefusesWhatTheSpecificationForbids) {
  for (const Bad& bad : kBadIndexes) {
    expect_refused(bad, [](std::string_view text) { parse_index(text); });
  }
  expect_refused({kIndexText, "was announced"},
                 [](std::string_view text) { parse_index(text, kDockerManifestList); });
}

TEST(ParseDocument, GoesByTheDescriptorsType) {
  const Document document = parse_document(describe(MediaType(kImageManifest), kManifestText),
                                           std::string(kManifestText));
  EXPECT_TRUE(std::holds_alternative<Manifest>(document.parsed));
  EXPECT_EQ(document.raw, kManifestText);
  expect_refused({kIndexText, "was announced"}, [](std::string_view text) {
    parse_document(describe(MediaType(kImageManifest), text), std::string(text));
  });
}

TEST(ParseDocument, GoesByTheDocumentWhereTheDescriptorSaysNothing) {
  Document document = parse_document(describe("", kIndexText), std::string(kIndexText));
  EXPECT_TRUE(std::holds_alternative<Index>(document.parsed));
  EXPECT_EQ(document.descriptor.media_type, kImageIndex);
  const std::string shape = R"({"schemaVersion":2,"config":)" LADE_CONFIG R"(,"layers":[]})";
  document = parse_document(describe("", shape), shape);
  EXPECT_TRUE(std::holds_alternative<Manifest>(document.parsed));
  EXPECT_EQ(document.descriptor.media_type, kImageManifest);
}

TEST(ParseDocument, CarriesOtherTypesUntouched) {
  const Document document = parse_document(describe("application/x", "\xFF"), "\xFF");
  EXPECT_TRUE(std::holds_alternative<Unknown>(document.parsed));
  EXPECT_TRUE(successors(document).empty());
  EXPECT_TRUE(std::holds_alternative<Unknown>(parse_document(describe("", "{}"), "{}").parsed));
}

TEST(ParseDocument, RefusesFormatsWhoseBlobsItCannotFind) {
  expect_refused({"{}", "not supported", Errc::unsupported}, [](std::string_view text) {
    const MediaType type = "application/vnd.oci.artifact.manifest.v1+json";
    parse_document(describe(type, text), std::string(text));
  });
}

TEST(ParseDocument, LeavesSchema1ToItsOwnParser) {
  const std::string text = R"({"schemaVersion":1,"fsLayers":[]})";
  const Document document = parse_document(describe("", text), text);
  EXPECT_EQ(document.descriptor.media_type, kDockerSchema1);
  EXPECT_TRUE(std::holds_alternative<Unknown>(document.parsed));
}

TEST(SniffMediaType, TellsTypesByMemberOrShape) {
  EXPECT_EQ(sniff_media_type(kManifestText), kImageManifest);
  EXPECT_EQ(sniff_media_type(R"({"mediaType":"a/b"})"), "a/b");
  EXPECT_EQ(sniff_media_type(R"({"manifests":[]})"), kImageIndex);
  EXPECT_EQ(sniff_media_type(R"({"layers":[],"config":{}})"), kImageManifest);
  EXPECT_EQ(sniff_media_type(R"({"fsLayers":[]})"), kDockerSchema1);
  EXPECT_EQ(sniff_media_type(R"({"fsLayers":[],"signatures":[]})"), kDockerSchema1Signed);
  EXPECT_EQ(sniff_media_type(R"({"config":{},"rootfs":{}})"), "");
  EXPECT_EQ(sniff_media_type("{}"), "");
  const auto sniff = [](std::string_view text) { sniff_media_type(text); };
  expect_refused({R"({"manifests":[],"layers":[]})", "ambiguous"}, sniff);
  expect_refused({R"({"manifests":[],"config":{}})", "ambiguous"}, sniff);
  expect_refused({R"({"mediaType":"nonsense"})", "not a media type"}, sniff);
  expect_refused({"[1]", "document: is an array"}, sniff);
}

TEST(Describe, NamesTheBytes) {
  const Descriptor descriptor = describe(MediaType(kEmptyJson), "{}");
  EXPECT_EQ(descriptor.digest.str(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  EXPECT_EQ(descriptor.size, 2U);
  EXPECT_EQ(descriptor.media_type, kEmptyJson);
}

TEST(Successors, AreConfigAndLayersOrManifests) {
  const auto of = [](std::string_view text) {
    return successors(parse_document(describe("", text), std::string(text)));
  };
  ASSERT_EQ(of(kManifestText).size(), 2U);
  EXPECT_EQ(of(kManifestText)[0].media_type, kImageConfig);
  EXPECT_EQ(of(kManifestText)[1].media_type, kImageLayerGzip);
  EXPECT_EQ(of(kIndexText).size(), 1U);
}

Descriptor descriptor_of(std::string_view media_type) {
  return describe(MediaType(media_type), media_type);
}

TEST(Converted, ExchangesTheTypesAndNothingElse) {
  Manifest manifest{.config = descriptor_of(kImageConfig)};
  for (const std::string_view type :
       {kImageLayer, kImageLayerGzip, kNondistributableLayer,
        std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")}) {
    manifest.layers.push_back(descriptor_of(type));
  }
  manifest.annotations = Annotations{{"k", "v"}};
  manifest.unknown = {{"x", "1"}};
  const Manifest docker = converted(manifest, Family::docker);
  EXPECT_EQ(docker.media_type, kDockerManifest);
  EXPECT_EQ(docker.config.media_type, kDockerConfig);
  EXPECT_EQ(docker.layers[0].media_type, kDockerLayer);
  EXPECT_EQ(docker.layers[1].media_type, kDockerLayerGzip);
  EXPECT_EQ(docker.layers[3].media_type, kDockerForeignLayerGzip);
  EXPECT_EQ(docker.unknown, manifest.unknown);
  EXPECT_EQ(converted(docker, Family::docker), docker);
  EXPECT_EQ(converted(docker, Family::oci), manifest);
}

TEST(Converted, RefusesWhatDockerCannotHold) {
  const auto convert = [](const Manifest& manifest) {
    return [&manifest](std::string_view) { converted(manifest, Family::docker); };
  };
  Manifest manifest{.config = descriptor_of(kImageConfig)};
  manifest.layers = {descriptor_of(kImageLayerZstd)};
  expect_refused(
      {"", "layer of type 'application/vnd.oci.image.layer.v1.tar+zstd'", Errc::unsupported},
      convert(manifest));
  manifest.layers = {descriptor_of(cat(kImageLayerGzip, "+encrypted"))};
  expect_refused({"", "has no counterpart", Errc::unsupported}, convert(manifest));
  manifest.layers.clear();
  manifest.subject = descriptor_of(kImageManifest);
  expect_refused({"", "there is no subject", Errc::unsupported}, convert(manifest));
  manifest.artifact_type = "a/b";
  expect_refused({"", "there is no artifactType", Errc::unsupported}, convert(manifest));
  expect_refused({"", "config of type 'application/vnd.oci.empty.v1+json'", Errc::unsupported},
                 [](std::string_view) {
                   converted(Manifest{.config = descriptor_of(kEmptyJson)}, Family::docker);
                 });
}

TEST(Converted, KeepsTypesOfItsOwnInOciDocuments) {
  Manifest manifest{.config = descriptor_of("application/x.config")};
  manifest.layers = {descriptor_of("application/x.layer"),
                     descriptor_of("application/vnd.docker.image.rootfs.diff.tar.zstd")};
  const Manifest oci = converted(manifest, Family::oci);
  EXPECT_EQ(oci.config.media_type, "application/x.config");
  EXPECT_EQ(oci.layers[0].media_type, "application/x.layer");
  EXPECT_EQ(oci.layers[1].media_type, kImageLayerZstd);
}

TEST(Converted, ExchangesTheTypesOfAnIndex) {
  Index index;
  index.manifests = {descriptor_of(kImageManifest), descriptor_of(kImageIndex)};
  const Index docker = converted(index, Family::docker);
  EXPECT_EQ(docker.media_type, kDockerManifestList);
  EXPECT_EQ(docker.manifests[0].media_type, kDockerManifest);
  EXPECT_EQ(docker.manifests[1].media_type, kDockerManifestList);
  EXPECT_EQ(converted(docker, Family::oci), index);
  index.manifests.push_back(descriptor_of("application/x"));
  expect_refused({"", "manifest of type 'application/x'", Errc::unsupported},
                 [&](std::string_view) { converted(index, Family::docker); });
}

}  // namespace
}  // namespace lade::oci
