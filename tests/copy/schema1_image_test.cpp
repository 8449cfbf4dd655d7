#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/json_text.h"

#include "tests/copy/writers.h"
#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::PickyWriter;
using testing_support::quick_options;

std::string gzipped(const std::string& text) {
  StringSink out;
  const auto sink = codec_named("gzip").compress_to(out, {});
  sink->write(bytes_of(text));
  sink->finish();
  return out.text();
}

/// A schema 1 image with a gzip layer "base", a plain one "top", and a step without a layer
/// between.
oci::Descriptor make_schema1(MemoryStore& store) {
  const oci::Descriptor base = store.put(std::string(oci::kDockerLayerGzip), gzipped("base"));
  const oci::Descriptor top = store.put(std::string(oci::kDockerLayer), "top");
  const auto history = [](std::string_view text) {
    return cat(R"({"v1Compatibility":)", oci::json_string(text), "}");
  };
  const auto layer = [](const Digest& digest) {
    return cat(R"({"blobSum":")", digest.str(), R"("})");
  };
  const std::string raw =
      cat(R"({"schemaVersion":1,"name":"a","tag":"b","architecture":"amd64","fsLayers":[)",
          layer(top.digest), ",", layer(sha256_of("empty")), ",", layer(base.digest),
          R"(],"history":[)",
          history(R"({"id":"3","architecture":"amd64","os":"linux","config":{"Cmd":["/run"]}})"),
          ",", history(R"({"id":"2","throwaway":true})"), ",", history(R"({"id":"1"})"), "]}");
  return store.put(std::string(oci::kDockerSchema1), raw);
}

TEST(Schema1Image, BecomesSchema2WithDiffIdsAndHistory) {
  MemoryStore source;
  const oci::Descriptor root = make_schema1(source);
  PickyWriter to({});
  SilentObserver observer;
  const CopyOptions options = quick_options();
  const CopyPlan plan = plan_copy(source, root, to.accepts(), options);
  EXPECT_EQ(plan.root.media_type, oci::kDockerManifest);
  EXPECT_EQ(plan.root, plan_copy(source, root, to.accepts(), options).root);
  const CopyResult result = run_copy(plan, source, to, {Tag{"new"}}, options, observer, {});
  const oci::Document document = to.store.document(result.root);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  ASSERT_EQ(manifest.layers.size(), 2U);
  EXPECT_EQ(manifest.layers[0].media_type, oci::kDockerLayerGzip);
  EXPECT_EQ(manifest.layers[1].media_type, oci::kDockerLayer);
  const oci::ImageConfig config =
      oci::parse_image_config(to.store.bytes_of_blob(manifest.config.digest));
  EXPECT_EQ(config.diff_ids, (std::vector<DiffId>{{sha256_of("base")}, {sha256_of("top")}}));
  EXPECT_EQ(config.history.size(), 3U);
  EXPECT_EQ(config.config->cmd, std::vector<std::string>{"/run"});
}

TEST(Schema1Image, BecomesOciWhereThatIsAskedFor) {
  MemoryStore source;
  const oci::Descriptor root = make_schema1(source);
  PickyWriter to({.docker = false, .default_layer_codec = "gzip"});
  SilentObserver observer;
  const CopyOptions options = quick_options();
  const CopyPlan plan = plan_copy(source, root, to.accepts(), options);
  const CopyResult result = run_copy(plan, source, to, {}, options, observer, {});
  EXPECT_EQ(result.root.media_type, oci::kImageManifest);
  const oci::Document document = to.store.document(result.root);
  for (const auto& layer : std::get<oci::Manifest>(document.parsed).layers) {
    EXPECT_EQ(layer.media_type, oci::kImageLayerGzip);
    EXPECT_TRUE(to.store.contains(layer));
  }
}

TEST(Schema1Image, CannotKeepItsDigest) {
  MemoryStore source;
  CopyOptions options = quick_options();
  options.preserve_digests = true;
  EXPECT_THROW(plan_copy(source, make_schema1(source), {}, options), Error);
}

TEST(Schema1Image, MissingAndWrongLayersAreNamed) {
  MemoryStore source;
  const oci::Descriptor root = make_schema1(source);
  source.corrupt(sha256_of("top"), "pot");
  try {
    plan_copy(source, root, {}, quick_options());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::digest_mismatch);
    EXPECT_NE(std::string(e.what()).find(sha256_of("top").str()), std::string::npos) << e.what();
  }
  MemoryStore empty;
  const oci::Descriptor same =
      empty.put(std::string(oci::kDockerSchema1), source.bytes_of_blob(root.digest));
  EXPECT_THROW(plan_copy(empty, same, {}, quick_options()), Error);
}

TEST(Schema1Image, WithinAnIndexIsRefused) {
  MemoryStore source;
  const auto index = testing_support::make_index(source, {make_schema1(source)});
  EXPECT_THROW(plan_copy(source, index, {}, quick_options()), Error);
}

}  // namespace
}  // namespace lade
