#include "libimage/config/policy.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = PolicyRequirement::Kind;

constexpr const char* kAccept = R"([{"type":"insecureAcceptAnything"}])";
constexpr const char* kReject = R"([{"type":"reject"}])";

std::string refusal(const std::string& json) {
  try {
    (void)Policy::parse(json);
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

std::string verdict(const Policy& policy, const ImageName& name) {
  try {
    check_policy(policy, name, "IMAGE");
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

Policy of_docker(const std::string& scope) {
  return Policy::parse(std::string(R"({"default":)") + kAccept + R"(,"transports":{"docker":{")" +
                       scope + "\":" + kReject + "}}}");
}

TEST(Policy, ReadsEveryKindOfRequirement) {
  const Policy policy = Policy::parse(R"({"default":[{"type":"reject"}],"transports":{"docker":{
    "":[{"type":"insecureAcceptAnything"}],
    "a.example":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k",
                  "signedIdentity":{"type":"remapIdentity","prefix":"a","signedPrefix":"b"}}],
    "b.example":[{"type":"sigstoreSigned","keyData":"eA=="}],
    "c.example":[{"type":"sigstoreSigned","fulcio":{"caPath":"/c"},"rekorPublicKeyPath":"/r"}],
    "d.example":[{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}]}}})");
  EXPECT_EQ(policy.fallback.at(0).kind, Kind::reject);
  const auto& docker = policy.transports.at("docker");
  EXPECT_EQ(docker.at("").at(0).kind, Kind::accept_anything);
  EXPECT_EQ(docker.at("a.example").at(0).kind, Kind::signed_by);
  EXPECT_EQ(docker.at("b.example").at(0).kind, Kind::sigstore_signed);
  EXPECT_EQ(docker.at("c.example").at(0).kind, Kind::sigstore_signed);
  EXPECT_EQ(docker.at("d.example").at(0).kind, Kind::signed_base_layer);
}

TEST(Policy, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{}"), HasSubstr("Default policy is missing"));
  EXPECT_THAT(refusal(R"({"default":[]})"), HasSubstr("must not be empty"));
  EXPECT_THAT(refusal(R"({"default":[{"type":"reject"}],"x":1})"), HasSubstr("Unknown key \"x\""));
  EXPECT_THAT(refusal(R"({"default":[{"type":"reject"}],"default":[{"type":"reject"}]})"),
              HasSubstr("Duplicate key"));
  EXPECT_THAT(refusal(R"({"default":[{"type":"reject","y":1}]})"), HasSubstr("Unknown key \"y\""));
  EXPECT_THAT(refusal(R"({"default":[{"type":"maybe"}]})"), HasSubstr("\"maybe\""));
  EXPECT_THAT(refusal(R"({"default":[{}]})"), HasSubstr("\"type\" is missing"));
  EXPECT_THAT(refusal(R"({"default":[{"type":"signedBy","keyType":"GPGKeys"}]})"),
              HasSubstr("must be specified"));
  EXPECT_THAT(
      refusal(
          R"({"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"a","keyData":"b"}]})"),
      HasSubstr("only one of"));
  EXPECT_THAT(refusal(R"({"default":[{"type":"signedBy","keyType":"x","keyPath":"a"}]})"),
              HasSubstr("keyType"));
  EXPECT_THAT(refusal(std::string(1000, '[')), HasSubstr("nested too deeply"));
}

TEST(Policy, ScopesOfARepositoryGoFromTheImageToTheDomain) {
  EXPECT_THAT(policy_scopes({"docker", "r.sub.example/ns/app:1"}),
              ElementsAre("r.sub.example/ns/app:1", "r.sub.example/ns/app", "r.sub.example/ns",
                          "r.sub.example", "*.sub.example", "*.example"));
  EXPECT_THAT(policy_scopes({"docker", "app"}),
              ElementsAre("docker.io/library/app:latest", "docker.io/library/app",
                          "docker.io/library", "docker.io", "*.io"));
}

TEST(Policy, ScopesOfAPathAreItsParentsWithoutLinks) {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / "lade-policy-test";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory / "real");
  std::filesystem::create_directory_symlink(directory / "real", directory / "link");
  const std::string real = std::filesystem::canonical(directory / "real").string();
  EXPECT_EQ(policy_scopes({"oci", (directory / "link").string() + ":tag"}).front(), real);
  EXPECT_EQ(policy_scopes({"dir", real}).at(1), std::filesystem::path(real).parent_path().string());
  std::filesystem::remove_all(directory);
}

TEST(Policy, TheMostSpecificScopeDecidesAlone) {
  const ImageName image{"docker", "r.example/ns/app:1"};
  for (const char* scope :
       {"r.example/ns/app:1", "r.example/ns/app", "r.example/ns", "r.example", "*.example", ""}) {
    EXPECT_EQ(verdict(of_docker(scope), image), "Running image IMAGE is rejected by policy.")
        << scope;
  }
  EXPECT_EQ(verdict(of_docker("r.example/ns/ap"), image), "accepted");
  EXPECT_EQ(verdict(of_docker("r.example"), {"oci", "/r.example"}), "accepted");
}

TEST(Policy, DemandsForSignaturesAreRefusedNeverIgnored) {
  const Policy policy = Policy::parse(
      R"({"default":[{"type":"insecureAcceptAnything"},{"type":"sigstoreSigned","keyPath":"/k"}]})");
  EXPECT_THAT(verdict(policy, {"docker", "a.example/b"}),
              HasSubstr("demands a signature of image IMAGE (sigstoreSigned)"));
}

TEST(Policy, ScopesOfContainersStorageAllCount) {
  const Policy policy = Policy::parse(std::string(R"({"default":)") + kAccept +
                                      R"(,"transports":{"containers-storage":{"":)" + kAccept +
                                      R"(,"[/var/lib/x]":)" + kReject + "}}}");
  EXPECT_THAT(verdict(policy, {"containers-storage", "a"}), HasSubstr("rejected by policy"));
}

TEST(Policy, AMissingFileAcceptsAndABrokenOneDoesNot) {
  EXPECT_EQ(Policy::read_first({"/nonexistent/a.json", "/nonexistent/b.json"}), std::nullopt);
  const std::string path = std::filesystem::temp_directory_path() / "lade-broken-policy.json";
  std::ofstream(path) << "{";
  try {
    (void)Policy::read_first({path});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("invalid policy in \"" + path + "\""));
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lade
