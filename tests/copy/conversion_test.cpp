#include <algorithm>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/copy/copy.h"

#include "tests/copy/writers.h"
#include "tests/support/images.h"

namespace lade {
namespace {

using oci::Family;
using testing_support::make_image;
using testing_support::make_index;
using testing_support::make_referrer;
using testing_support::PickyWriter;
using testing_support::quick_options;
using What = CopyOptions::What;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};
const oci::Platform kArm64{.architecture = "arm64", .os = "linux"};

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

oci::Descriptor compressed_image(MemoryStore& store, const std::string& codec,
                                 const oci::Platform& platform, std::string_view layer_type) {
  StringSink out;
  const auto sink = codec_named(codec).compress_to(out, {});
  sink->write(bytes_of("some content"));
  sink->finish();
  return make_image(store, {out.text()}, platform, layer_type).manifest;
}

TEST(Conversion, AnIndexBecomesAListAndBackTheSameIndex) {
  MemoryStore source;
  const auto index =
      make_index(source, {make_image(source, {"a"}, kAmd64, oci::kImageLayerGzip).manifest,
                          make_image(source, {"b"}, kArm64, oci::kImageLayerGzip).manifest});
  CopyOptions options = quick_options();
  SilentObserver observer;
  options.family = Family::docker;
  MemoryStore docker;
  const auto there =
      run_copy(plan_copy(source, index, {}, options), source, docker, {}, options, observer, {});
  EXPECT_EQ(there.root.media_type, oci::kDockerManifestList);
  const oci::Document list = docker.document(there.root);
  for (const auto& entry : std::get<oci::Index>(list.parsed).manifests) {
    EXPECT_EQ(entry.media_type, oci::kDockerManifest);
    EXPECT_TRUE(docker.contains(entry));
  }
  options.family = Family::oci;
  MemoryStore back;
  const auto again =
      run_copy(plan_copy(docker, there.root, {}, options), docker, back, {}, options, observer, {});
  EXPECT_EQ(again.root.digest, index.digest);
}

TEST(Conversion, AttestationsStayOciInADockerList) {
  MemoryStore source;
  const auto image = make_image(source, {"a"}, kAmd64, oci::kImageLayerGzip).manifest;
  oci::Manifest about{.config = source.put(std::string(oci::kImageConfig), "{}"),
                      .layers = {source.put("application/vnd.in-toto+json", "{}")}};
  oci::Descriptor entry = source.put(std::string(oci::kImageManifest), oci::serialise(about));
  entry.platform = {.architecture = "unknown", .os = "unknown"};
  entry.annotations = oci::Annotations{{"vnd.docker.reference.digest", image.digest.str()}};
  const auto index = make_index(source, {image, entry});
  CopyOptions options = quick_options();
  options.family = Family::docker;
  MemoryStore to;
  SilentObserver observer;
  const auto result =
      run_copy(plan_copy(source, index, {}, options), source, to, {}, options, observer, {});
  const auto entries = std::get<oci::Index>(to.document(result.root).parsed).manifests;
  EXPECT_EQ(entries[0].media_type, oci::kDockerManifest);
  EXPECT_EQ(entries[1].media_type, oci::kImageManifest);
  EXPECT_EQ(entries[1].digest, entry.digest);
  EXPECT_EQ(entries[1].annotation("vnd.docker.reference.digest"), entries[0].digest.str());
}

TEST(Conversion, ArtifactsAreRefusedByTheirType) {
  MemoryStore source;
  const auto image = make_image(source, {"a"}, kAmd64, oci::kImageLayerGzip).manifest;
  CopyOptions options = quick_options();
  options.family = Family::docker;
  const auto artifact = make_referrer(source, image, "x");
  EXPECT_NE(message_of([&] { plan_copy(source, artifact, {}, options); }).find("artifactType"),
            std::string::npos);
  options.family.reset();
  EXPECT_FALSE(
      plan_copy(source, artifact, {.default_layer_codec = "gzip"}, options).rewrites_documents);
}

TEST(Conversion, ZstdLayersBecomeGzipInDockersFormat) {
  MemoryStore source;
  const auto image = compressed_image(source, "zstd", kAmd64, oci::kImageLayerZstd);
  CopyOptions options = quick_options();
  options.family = Family::docker;
  const CopyPlan plan = plan_copy(source, image, {}, options);
  MemoryStore to;
  SilentObserver observer;
  const auto result = run_copy(plan, source, to, {}, options, observer, {});
  const oci::Document document = to.document(result.root);
  EXPECT_EQ(document.descriptor.media_type, oci::kDockerManifest);
  EXPECT_EQ(std::get<oci::Manifest>(document.parsed).layers[0].media_type, oci::kDockerLayerGzip);
}

TEST(Conversion, ZstdMakesOciOfDockersFormatUnlessDockersIsAskedFor) {
  MemoryStore source;
  const auto image =
      make_image(source, {"gz"}, kAmd64, oci::kDockerLayerGzip, oci::kDockerManifest).manifest;
  CopyOptions options = quick_options();
  options.layer_codec = "zstd";
  EXPECT_EQ(plan_copy(source, image, {}, options).convert_to, Family::oci);
  EXPECT_NE(message_of([&] { plan_copy(source, image, {.oci = false}, options); }).find("zstd"),
            std::string::npos);
  options.family = Family::docker;
  EXPECT_NE(message_of([&] { plan_copy(source, image, {}, options); }).find("zstd"),
            std::string::npos);
}

TEST(Conversion, EncryptedLayersPassAndAreRefusedByNameWhereTheyWouldBeRead) {
  MemoryStore source;
  const auto image = make_image(source, {"secret"}, kAmd64,
                                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
  CopyOptions options = quick_options();
  options.layer_codec = "zstd";
  EXPECT_FALSE(plan_copy(source, image.manifest, {}, options).rewrites_documents);
  options.layer_codec.clear();
  options.family = Family::docker;
  const std::string why = message_of([&] { plan_copy(source, image.manifest, {}, options); });
  EXPECT_NE(why.find("encrypted"), std::string::npos) << why;
  EXPECT_NE(why.find(image.layers[0].digest.str()), std::string::npos) << why;
}

TEST(Conversion, ForeignLayersChangeTheirTypeAndStayWhereTheyAre) {
  MemoryStore source;
  oci::Manifest manifest{.media_type = std::string(oci::kDockerManifest),
                         .config = source.put(std::string(oci::kDockerConfig), "{}"),
                         .layers = {{.media_type = std::string(oci::kDockerForeignLayerGzip),
                                     .digest = sha256_of("elsewhere"),
                                     .size = 9,
                                     .urls = {"https://registry.example/layer"}}}};
  const auto image = source.put(std::string(oci::kDockerManifest), oci::serialise(manifest));
  CopyOptions options = quick_options();
  options.family = Family::oci;
  MemoryStore to;
  SilentObserver observer;
  const auto result =
      run_copy(plan_copy(source, image, {}, options), source, to, {}, options, observer, {});
  const oci::Document document = to.document(result.root);
  const auto& layer = std::get<oci::Manifest>(document.parsed).layers[0];
  EXPECT_TRUE(oci::is_nondistributable(layer.media_type));
  EXPECT_EQ(layer.digest, sha256_of("elsewhere"));
  EXPECT_FALSE(to.contains(layer));
}

TEST(Conversion, PreservedDigestsNeedAPlaceThatKeepsManifests) {
  MemoryStore source;
  const auto image =
      make_image(source, {"tar"}, kAmd64, oci::kDockerLayer, oci::kDockerManifest).manifest;
  CopyOptions options = quick_options();
  options.preserve_digests = true;
  const Writer::Accepts archive{
      .oci = false, .indexes = false, .compressed_layers = false, .keeps_digests = false};
  EXPECT_NE(message_of([&] { plan_copy(source, image, archive, options); }).find("preserved"),
            std::string::npos);
  EXPECT_NO_THROW(plan_copy(source, image, {}, options));
}

TEST(Conversion, ACodecForAPlaceOfPlainLayersIsAMistake) {
  MemoryStore source;
  const auto image = make_image(source, {"a"}, kAmd64, oci::kImageLayerGzip).manifest;
  CopyOptions options = quick_options();
  options.layer_codec = "zstd";
  EXPECT_THROW(plan_copy(source, image, {.compressed_layers = false}, options), Error);
  options.layer_codec = "identity";
  EXPECT_NO_THROW(plan_copy(source, image, {.compressed_layers = false}, options));
}

/// What is copied, to what kinds of places: nothing missing, nothing changed without need.
TEST(Conversion, EveryKindOfImageReachesEveryKindOfPlaceOrIsRefusedBefore) {
  const std::vector<Writer::Accepts> places = {
      {.default_layer_codec = "gzip", .documents_imply_blobs = true},  // a registry
      {.default_layer_codec = "gzip"},                                 // a layout
      {.docker = false, .default_layer_codec = "gzip"},                // an OCI archive
      {.names = false, .referrers = false},                            // a directory
      {.oci = false,
       .indexes = false,
       .compressed_layers = false,
       .keeps_digests = false,
       .referrers = false},  // a Docker archive
  };
  for (std::size_t place = 0; place < places.size(); ++place) {
    for (const What what : {What::one_platform, What::all, What::platforms, What::index_only}) {
      for (const char* codec : {"identity", "gzip", "zstd"}) {
        SCOPED_TRACE(testing::Message() << place << " " << static_cast<int>(what) << " " << codec);
        MemoryStore source;
        const std::string type = oci::layer_media_type(Family::oci, codec);
        const auto index = make_index(source, {compressed_image(source, codec, kAmd64, type),
                                               compressed_image(source, codec, kArm64, type)});
        CopyOptions options = quick_options(what);
        options.platform = kArm64;
        options.platforms = {kArm64};
        options.attached = CopyOptions::Attached::where_possible;
        PickyWriter to(places[place]);
        SilentObserver observer;
        const bool holds = places[place].indexes || what == What::one_platform;
        if (!holds) {
          EXPECT_THROW(plan_copy(source, index, to.accepts(), options), Error);
          continue;
        }
        const CopyPlan plan = plan_copy(source, index, to.accepts(), options);
        const auto result = run_copy(plan, source, to, {}, options, observer, {});
        EXPECT_TRUE(to.store.contains(result.root));
        EXPECT_EQ(plan.rewrites_documents, result.root.digest != plan.root.digest);
        const bool same =
            what != What::index_only && places[place].compressed_layers &&
            (codec != std::string("identity") || places[place].default_layer_codec.empty());
        if (same) {
          EXPECT_FALSE(plan.rewrites_documents);
        }
      }
    }
  }
}

TEST(Conversion, HostileIndexesAreBounded) {
  MemoryStore source;
  // Ten thousand entries are the most that one may have, all of them lies about their size.
  std::vector<oci::Descriptor> entries(10'000, {.media_type = std::string(oci::kImageManifest),
                                                .digest = sha256_of("x"),
                                                .size = oci::kMaxManifestBytes});
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].digest = sha256_of(std::to_string(i));
  const auto many = make_index(source, entries);
  EXPECT_NE(message_of([&] { plan_copy(source, many, {}, quick_options()); }).find("more than"),
            std::string::npos);
  // A size that is a lie is found where the document is read.
  auto image = make_image(source, {"a"}, kAmd64, oci::kImageLayerGzip).manifest;
  ++image.size;
  EXPECT_THROW(plan_copy(source, make_index(source, {image}), {}, quick_options()), Error);
  // The same image ten thousand times costs one.
  --image.size;
  const auto same = make_index(source, std::vector<oci::Descriptor>(10'000, image));
  EXPECT_EQ(plan_copy(source, same, {}, quick_options()).documents.size(), 2U);
}

}  // namespace
}  // namespace lade
