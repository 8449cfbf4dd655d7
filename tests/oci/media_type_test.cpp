#include "libimage/oci/media_type.h"

#include <string>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::oci {
namespace {

TEST(MediaType, KnowsManifestsIndexesAndConfigsOfBothFamilies) {
  EXPECT_TRUE(is_manifest(kImageManifest) && is_manifest(kDockerManifest));
  EXPECT_TRUE(is_index(kImageIndex) && is_index(kDockerManifestList));
  EXPECT_TRUE(is_image_config(kImageConfig) && is_image_config(kDockerConfig));
  EXPECT_FALSE(is_manifest(kImageIndex) || is_index(kImageManifest) || is_manifest(""));
  EXPECT_FALSE(is_manifest(kDockerSchema1) || is_image_config(kEmptyJson));
}

TEST(MediaType, TellsTheCodecOfALayer) {
  EXPECT_EQ(layer_codec(kImageLayer), "identity");
  EXPECT_EQ(layer_codec(kImageLayerGzip), "gzip");
  EXPECT_EQ(layer_codec(kImageLayerZstd), "zstd");
  EXPECT_EQ(layer_codec(kNondistributableLayer), "identity");
  EXPECT_EQ(layer_codec(kDockerLayer), "identity");
  EXPECT_EQ(layer_codec(kDockerLayerGzip), "gzip");
  EXPECT_EQ(layer_codec(kDockerForeignLayerGzip), "gzip");
  EXPECT_EQ(layer_codec("application/vnd.docker.image.rootfs.diff.tar.zstd"), "zstd");
  EXPECT_EQ(layer_codec("application/x"), "");
  EXPECT_EQ(layer_codec(""), "");
}

TEST(MediaType, PromisesNoCodecForEncryptedLayers) {
  const std::string encrypted = std::string(kImageLayerGzip) + "+encrypted";
  EXPECT_TRUE(is_layer(encrypted) && is_encrypted(encrypted));
  EXPECT_EQ(layer_codec(encrypted), "");
  EXPECT_FALSE(is_encrypted(kImageLayerGzip));
}

TEST(MediaType, KnowsLayersThatShouldNotBeUploaded) {
  EXPECT_TRUE(is_nondistributable(kNondistributableLayer));
  EXPECT_TRUE(is_nondistributable(std::string(kNondistributableLayer) + "+gzip"));
  EXPECT_TRUE(is_nondistributable(std::string(kNondistributableLayer) + "+zstd"));
  EXPECT_TRUE(is_nondistributable(kDockerForeignLayerGzip));
  EXPECT_TRUE(is_nondistributable(std::string(kNondistributableLayer) + "+gzip+encrypted"));
  EXPECT_FALSE(is_nondistributable(kImageLayerGzip));
  EXPECT_TRUE(is_layer(kNondistributableLayer) && !is_layer(kImageConfig));
}

TEST(MediaType, ChoosesTheLayerTypeForACodec) {
  for (const std::string_view codec : {"identity", "gzip", "zstd"}) {
    EXPECT_EQ(layer_codec(layer_media_type(Family::oci, codec)), codec);
  }
  EXPECT_EQ(layer_media_type(Family::docker, "identity"), kDockerLayer);
  EXPECT_EQ(layer_media_type(Family::docker, "gzip"), kDockerLayerGzip);
  for (const std::string_view codec : {"zstd", "xz", ""}) {
    try {
      layer_media_type(Family::docker, codec);
      ADD_FAILURE() << codec;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::unsupported);
    }
  }
}

TEST(MediaType, ObeysTheGrammarOfRfc6838) {
  const std::string longest(127, 'a');
  for (const std::string& good :
       {std::string(kImageManifest), std::string("a/b"), std::string("1/2"),
        std::string("a/b!#$&-^_.+"), longest + "/" + longest}) {
    EXPECT_TRUE(is_media_type(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("a"), std::string("a/"), std::string("/b"), std::string("a/b/c"),
        std::string("a/b;c=d"), std::string(" a/b"), std::string("a/b "), std::string(".a/b"),
        std::string("a/.b"), std::string("a/+b"), std::string("a/b\n"), std::string("a/\xC3\xA9"),
        longest + "a/b", "a/" + longest + "a", std::string("a/b,c/d"), std::string("*/*"),
        std::string("a/b\0", 4)}) {
    EXPECT_FALSE(is_media_type(bad)) << bad;
  }
}

}  // namespace
}  // namespace lade::oci
