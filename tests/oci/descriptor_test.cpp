// Descriptors, read as the entries of an index.
#include "libimage/oci/descriptor.h"

#include "libimage/base/text.h"
#include "libimage/oci/document.h"

#include "tests/oci/expect.h"

namespace lade::oci {
namespace {

#define LADE_HEX "5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"
#define LADE_TYPE R"("mediaType":"application/vnd.oci.image.manifest.v1+json")"
#define LADE_DIGEST R"("digest":"sha256:)" LADE_HEX R"(")"
#define LADE_BASE LADE_TYPE "," LADE_DIGEST R"(,"size":7682)"

constexpr std::string_view kEmptyDigest =
    R"("digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")";

Descriptor read(std::string_view entry) {
  return parse_index(cat(R"({"schemaVersion":2,"manifests":[)", entry, "]}")).manifests.at(0);
}

TEST(Descriptor, ReadsEveryMember) {
  const Descriptor descriptor = read(
      "{" LADE_BASE
      R"(,"urls":["https://example.com/x"],"annotations":{"k":"v","":""},"artifactType":"a/b",)"
      R"("platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":["f"],)"
      R"("variant":"v7","features":["g"],"p":1},"other":[1, {"x" : 2.50}]})");
  EXPECT_EQ(descriptor.media_type, kImageManifest);
  EXPECT_EQ(descriptor.digest.encoded(), LADE_HEX);
  EXPECT_EQ(descriptor.size, 7682U);
  EXPECT_EQ(descriptor.urls, std::vector<std::string>{"https://example.com/x"});
  EXPECT_EQ(descriptor.annotations, (Annotations{{"k", "v"}, {"", ""}}));
  EXPECT_EQ(descriptor.annotation("k"), "v");
  EXPECT_EQ(descriptor.annotation("absent"), "");
  EXPECT_EQ(descriptor.artifact_type, "a/b");
  const Platform platform{.architecture = "arm",
                          .os = "linux",
                          .os_version = "1",
                          .os_features = {"f"},
                          .variant = "v7",
                          .features = {"g"},
                          .unknown = {{"p", "1"}}};
  EXPECT_EQ(descriptor.platform, platform);
  EXPECT_EQ(descriptor.unknown, (UnknownMembers{{"other", R"([1,{"x":2.50}])"}}));
}

TEST(Descriptor, IsWrittenInTheSpecificationsOrder) {
  const std::string text =
      "{" LADE_BASE
      R"(,"urls":["https://example.com/x"],"annotations":{"k":"v"},"artifactType":"a/b",)"
      R"("platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":["f"],)"
      R"("variant":"v7","features":["g"],"p":1},"a":null,"b":[1.50,{}]})";
  EXPECT_EQ(serialise(read(text)), text);
}

TEST(Descriptor, CarriesItsContent) {
  const Descriptor descriptor = read(cat(R"({"mediaType":"application/vnd.oci.empty.v1+json",)",
                                         kEmptyDigest, R"(,"size":2,"data":"e30="})"));
  EXPECT_EQ(descriptor.data, "{}");
  EXPECT_NE(serialise(descriptor).find(R"("data":"e30=")"), std::string::npos);
}

TEST(Descriptor, TellsAbsentAnnotationsFromNone) {
  EXPECT_FALSE(read("{" LADE_BASE "}").annotations);
  EXPECT_EQ(read("{" LADE_BASE R"(,"annotations":{}})").annotations, Annotations());
  EXPECT_NE(serialise(read("{" LADE_BASE R"(,"annotations":{}})")).find(R"("annotations":{})"),
            std::string::npos);
}

TEST(Descriptor, TakesNullForAnAbsentOptionalMember) {
  EXPECT_EQ(read("{" LADE_BASE R"(,"annotations":null,"urls":null,"platform":null,"data":null,)"
                 R"("artifactType":null})"),
            read("{" LADE_BASE "}"));
}

TEST(Descriptor, AcceptsSizesUpToTheLargestInteger) {
  EXPECT_EQ(read("{" LADE_TYPE "," LADE_DIGEST R"(,"size":9223372036854775807})").size,
            9223372036854775807U);
  EXPECT_EQ(read("{" LADE_TYPE "," LADE_DIGEST R"(,"size":0})").size, 0U);
}

TEST(Descriptor, AcceptsDigestsOfOtherAlgorithms) {
  for (const std::string_view digest :
       {"sha256+b64:" LADE_HEX, "sha256.foo-bar:" LADE_HEX, "blake3:" LADE_HEX,
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564="}) {
    EXPECT_EQ(read(cat("{" LADE_TYPE R"(,"size":1,"digest":")", digest, R"("})")).digest.str(),
              digest);
  }
}

constexpr Bad kBad[] = {
    {R"([])", "index: manifests[0]: is an array, not an object"},
    {R"("x")", "manifests[0]: is a string, not an object"},
    {R"(null)", "manifests[0]: is null, not an object"},
    {"{" LADE_TYPE R"(,"size":1})", "manifests[0].digest: is missing"},
    {"{" LADE_TYPE R"(,"size":1,"digest":null})", "manifests[0].digest: is null"},
    {"{" LADE_TYPE R"(,"size":1,"digest":7})", "manifests[0].digest: is a number, not a string"},
    {"{" LADE_TYPE R"(,"size":1,"digest":""})", "manifests[0].digest: invalid digest ''"},
    {"{" LADE_TYPE R"(,"size":1,"digest":"sha256:../../etc/passwd"})",
     "invalid digest 'sha256:../../etc/passwd'"},
    {"{" LADE_TYPE
     R"(,"size":1,"digest":"sha256:5B0BCABD1ED22E9FB1310CF6C2DEC7CDEF19F0AD69EFA1F392E94A4333501270"})",
     "invalid digest"},
    {"{" LADE_TYPE R"(,"size":1,"digest":":)" LADE_HEX "\"}", "invalid digest"},
    {"{" LADE_TYPE R"(,"size":1,"digest":"SHA256:)" LADE_HEX "\"}", "invalid digest"},
    {"{" LADE_TYPE R"(,"size":1,"digest":"sha256:)" LADE_HEX "\\u0000\"}",
     "manifests[0].digest: holds the character U+0000"},
    {"{" LADE_TYPE R"(,"size":1,"digest":"sha256:\u001b[2J"})",
     R"(invalid digest 'sha256:\x1b[2J')"},
    {"{" LADE_DIGEST R"(,"size":1})", "manifests[0].mediaType: is missing or empty"},
    {"{" LADE_DIGEST R"(,"size":1,"mediaType":""})", "manifests[0].mediaType: is missing or empty"},
    {"{" LADE_DIGEST R"(,"size":1,"mediaType":"application"})",
     "manifests[0].mediaType: 'application' is not a media type"},
    {"{" LADE_DIGEST R"(,"size":1,"mediaType":"text/plain; charset=utf-8"})", "not a media type"},
    {"{" LADE_DIGEST R"(,"size":1,"mediaType":["a/b"]})", "is an array, not a string"},
    {"{" LADE_TYPE "," LADE_DIGEST "}", "manifests[0].size: is missing"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":null})", "manifests[0].size: is null"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":"7682"})",
     "manifests[0].size: is a string, not an integer"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":-1})", "manifests[0].size: is -1, not an integer"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":1.0})", "manifests[0].size: is 1.0"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":1e3})", "manifests[0].size: is 1e3"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":9223372036854775808})", "9223372036854775808"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":18446744073709551616})", "18446744073709551616"},
    {"{" LADE_TYPE "," LADE_DIGEST R"(,"size":123456789012345678901234567890})",
     "manifests[0].size"},
    {"{" LADE_BASE R"(,"size":1})", "manifests[0]: member 'size' occurs twice in one object"},
    {"{" LADE_BASE R"(,"Size":1})",
     "manifests[0].Size: differs from 'size' by upper and lower case only"},
    {"{" LADE_BASE R"(,"urls":"https://x"})", "manifests[0].urls: is a string, not an array"},
    {"{" LADE_BASE R"(,"urls":["https://x",1]})", "manifests[0].urls[1]: is a number"},
    {"{" LADE_BASE R"(,"urls":["value"]})", "manifests[0].urls[0]: 'value' is no URI"},
    {"{" LADE_BASE R"(,"urls":["https://a b"]})", "is no URI"},
    {"{" LADE_BASE R"(,"urls":[":x"]})", "is no URI"},
    {"{" LADE_BASE R"(,"annotations":[]})", "manifests[0].annotations: is an array, not an object"},
    {"{" LADE_BASE R"(,"annotations":{"a":1}})",
     "manifests[0].annotations['a']: is a number, not a string"},
    {"{" LADE_BASE R"(,"annotations":{"a":null}})", "manifests[0].annotations['a']: is null"},
    {"{" LADE_BASE R"(,"annotations":{"a":"1","a":"1"}})",
     "manifests[0].annotations: member 'a' occurs twice"},
    {"{" LADE_BASE R"(,"artifactType":"x"})", "manifests[0].artifactType: 'x' is not a media type"},
    {"{" LADE_BASE R"(,"platform":{"os":"linux"}})",
     "manifests[0].platform.architecture: is missing"},
    {"{" LADE_BASE R"(,"platform":{"architecture":"amd64"}})",
     "manifests[0].platform.os: is missing"},
    {"{" LADE_BASE R"(,"platform":{"architecture":"amd64","os":1}})",
     "manifests[0].platform.os: is"},
    {"{" LADE_BASE R"(,"platform":"linux/amd64"})", "manifests[0].platform: is a string"},
    {"{" LADE_BASE R"(,"platform":{"architecture":"a","os":"b","os.features":"x"}})",
     "manifests[0].platform.os.features: is a string, not an array"},
    {R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30"})",
     "manifests[0].data: is not base64"},
    {R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e31="})",
     "is not base64"},
    {R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30=\n"})",
     "is not base64"},
    {R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":3,"data":"e30="})",
     "manifests[0].data: holds 2 bytes, but size is 3"},
    {R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"W10="})",
     "manifests[0].data: has digest sha256:4f53cda1"},
    {R"({"mediaType":"a/b","digest":"blake3:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="})",
     "manifests[0].data: content under digest algorithm 'blake3' cannot be verified",
     Errc::unsupported},
};

TEST(Descriptor, RefusesWhatTheSpecificationForbids) {
  for (const Bad& bad : kBad) expect_refused(bad, read);
}

TEST(Descriptor, BadNamesInPathsAreHarmlessToTerminals) {
  expect_refused({"{" LADE_BASE R"(,"annotations":{"\u001b[2J":1}})", R"(annotations['\\x1b[2J'])"},
                 read);
}

TEST(PlatformText, NamesEveryPart) {
  EXPECT_EQ(to_string(Platform{.architecture = "amd64", .os = "linux"}), "linux/amd64");
  EXPECT_EQ(to_string(Platform{.architecture = "arm", .os = "linux", .variant = "v7"}),
            "linux/arm/v7");
  EXPECT_EQ(
      to_string(Platform{.architecture = "amd64", .os = "windows", .os_version = "10.0.17763.1"}),
      "windows/amd64:10.0.17763.1");
  EXPECT_EQ(to_string(Platform{}), "unknown/unknown");
}

}  // namespace
}  // namespace lade::oci
