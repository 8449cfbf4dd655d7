#include "libimage/oci/schema1.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/json_text.h"

namespace lade::oci {
namespace {

const Digest kBase = sha256_of("base");
const Digest kTop = sha256_of("top");
const Digest kEmpty = sha256_of("empty");

/// Top first, as the format has it: the top image, a step without a layer, the base.
std::string three_layers(std::string_view more = "") {
  const std::string top =
      R"({"architecture":"arm64","config":{"Cmd":["/bin/top"],"Env":["A=1"]},"created":)"
      R"("2015-10-31T22:22:56.015925234Z","docker_version":"1.8.3","id":"cc","os":"linux",)"
      R"("parent":"bb","Size":12,"x":1.50,"container_config":{"Cmd":["/bin/sh","-c","top"]}})";
  const std::string step =
      R"({"id":"bb","parent":"aa","throwaway":true,"created":"2015-10-31T22:22:55Z",)"
      R"("author":"someone","container_config":{"Cmd":["/bin/sh -c #(nop) CMD"]}})";
  const std::string base = R"({"id":"aa","comment":"the base"})";
  const auto history = [](const std::string& text) {
    return cat(R"({"v1Compatibility":)", json_string(text), "}");
  };
  return cat(R"({"schemaVersion":1,"name":"library/app","tag":"old","architecture":"arm64",)",
             R"("fsLayers":[{"blobSum":")", kTop.str(), R"("},{"blobSum":")", kEmpty.str(),
             R"("},{"blobSum":")", kBase.str(), R"("}],"history":[)", history(top), ",",
             history(step), ",", history(base), "]", more, "}");
}

std::string base64url(std::string_view text) {
  std::string out = to_base64(text);
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  out.erase(std::min(out.find('='), out.size()));
  return out;
}

/// `payload` as registries serve it, signed.
std::string with_signature(const std::string& payload, std::size_t length, std::string_view tail) {
  const std::string header = cat(R"({"formatLength":)", length, R"(,"formatTail":")",
                                 base64url(tail), R"(","time":"2015-10-31T22:22:56Z"})");
  return cat(payload.substr(0, payload.size() - 1),
             R"(,"signatures":[{"header":{"alg":"ES256"},"signature":"c2ln","protected":")",
             base64url(header), R"("}]})");
}

void expect_failure(const std::string& text, std::string_view message, Errc code) {
  try {
    (void)parse_schema1(schema1_payload(text));
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_NE(std::string_view(e.what()).find(message), std::string_view::npos) << e.what();
  }
}

TEST(Schema1, ReadsLayersBottomFirst) {
  const Schema1 manifest = parse_schema1(three_layers());
  EXPECT_EQ(manifest.name, "library/app");
  EXPECT_EQ(manifest.tag, "old");
  EXPECT_EQ(manifest.architecture, "arm64");
  ASSERT_EQ(manifest.layers.size(), 3U);
  EXPECT_EQ(manifest.layers[0].blob, kBase);
  EXPECT_EQ(manifest.layers[0].history.comment, "the base");
  EXPECT_TRUE(manifest.layers[1].history.empty_layer);
  EXPECT_EQ(manifest.layers[1].history.author, "someone");
  EXPECT_EQ(manifest.layers[2].history.created_by, "/bin/sh -c top");
  EXPECT_EQ(manifest.blobs(), (std::vector<Digest>{kBase, kTop}));
}

TEST(Schema1, MakesAConfigOfTheImageOnTop) {
  const std::vector<DiffId> diff_ids = {{sha256_of("b")}, {sha256_of("t")}};
  const std::string text = schema1_config(parse_schema1(three_layers()), diff_ids);
  const ImageConfig config = parse_image_config(text);
  EXPECT_EQ(config.architecture, "arm64");
  EXPECT_EQ(config.diff_ids, diff_ids);
  EXPECT_EQ(config.config->cmd, std::vector<std::string>{"/bin/top"});
  ASSERT_EQ(config.history.size(), 3U);
  EXPECT_TRUE(config.history[1].empty_layer);
  EXPECT_TRUE(config.unknown.contains("docker_version"));
  EXPECT_EQ(config.unknown.at("x"), "1.50");
  for (const char* gone : {"id", "parent", "Size", "throwaway"}) {
    EXPECT_FALSE(config.unknown.contains(gone)) << gone;
  }
  EXPECT_EQ(text, schema1_config(parse_schema1(three_layers()), diff_ids));
}

TEST(Schema1, ThePayloadIsWhatWasSigned) {
  const std::string payload = three_layers("\n");
  EXPECT_EQ(schema1_payload(payload), payload);
  EXPECT_EQ(schema1_payload(with_signature(payload, payload.size() - 2, "\n}")), payload);
}

TEST(Schema1, RefusesSignaturesThatDoNotFit) {
  const std::string payload = three_layers();
  expect_failure(with_signature(payload, 1'000'000, "}"), "more than there is",
                 Errc::invalid_content);
  expect_failure(with_signature(payload, 20, "}"), "not valid JSON", Errc::invalid_content);
  expect_failure(three_layers(R"(,"signatures":[])"), "is empty", Errc::invalid_content);
  expect_failure(three_layers(R"(,"signatures":[{"protected":"*"}])"), "not base64url",
                 Errc::invalid_content);
  const std::string one = base64url(R"({"formatLength":1,"formatTail":"fQ"})");
  const std::string two = base64url(R"({"formatLength":2,"formatTail":"fQ"})");
  expect_failure(three_layers(cat(R"(,"signatures":[{"protected":")", one, R"("},{"protected":")",
                                  two, R"("}])")),
                 "do not sign the same", Errc::invalid_content);
}

TEST(Schema1, RefusesWhatIsNoImage) {
  const auto swapped = [](std::string text, std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  const std::string good = three_layers();
  expect_failure(R"({"schemaVersion":1})", "fsLayers", Errc::invalid_content);
  expect_failure(R"({"schemaVersion":2,"fsLayers":[],"history":[]})", "is 2, not 1",
                 Errc::invalid_content);
  expect_failure(R"({"schemaVersion":1,"fsLayers":[],"history":[]})", "has 0 entries",
                 Errc::invalid_content);
  expect_failure(swapped(good, "sha256:", "sha257-"), "is no digest", Errc::invalid_content);
  expect_failure(three_layers(R"(,"layers":[])"), "ambiguous", Errc::invalid_content);
  expect_failure(three_layers(R"(,"Config":{})"), "ambiguous", Errc::invalid_content);
  std::string many = R"({"schemaVersion":1,"history":[],"fsLayers":[)";
  for (std::size_t i = 0; i <= kMaxDescriptors; ++i) many += i == 0 ? "0" : ",0";
  expect_failure(many + "]}", "fsLayers", Errc::limit_exceeded);
}

TEST(Schema1, RefusesAConfigThatIsNone) {
  Schema1 manifest = parse_schema1(three_layers());
  manifest.config = R"({"architecture":7})";
  EXPECT_THROW((void)schema1_config(manifest, {}), Error);
}

}  // namespace
}  // namespace lade::oci
