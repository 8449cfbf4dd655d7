#include "libimage/buildcache/cache_option.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::buildcache {
namespace {

std::string error_of_to(const std::string& text) {
  try {
    parse_cache_to(text, "gzip");
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::string error_of_from(const std::string& text) {
  try {
    parse_cache_from(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(CacheOption, ReadsDockersForms) {
  const CacheFrom registry = parse_cache_from("type=registry,ref=r.example/app:cache").at(0);
  EXPECT_EQ(registry.type, CacheType::registry);
  EXPECT_EQ(registry.place, "r.example/app:cache");
  const CacheFrom local = parse_cache_from("type=local,\"src=/a,b\",tag=x").at(0);
  EXPECT_EQ(local.type, CacheType::local);
  EXPECT_EQ(local.place, "/a,b");
  EXPECT_EQ(local.tag, "x");
  const CacheTo to =
      parse_cache_to("type=registry,ref=r.example/c,mode=max,ignore-error=true", "gzip").at(0);
  EXPECT_EQ(to.mode, CacheMode::max);
  EXPECT_TRUE(to.ignore_error);
  EXPECT_TRUE(to.form.image_manifest);
  EXPECT_EQ(parse_cache_to("type=local,dest=d", "gzip").at(0).tag, "latest");
  EXPECT_EQ(parse_cache_to("type=inline", "gzip").at(0).type, CacheType::inline_config);
}

TEST(CacheOption, TakesReferencesAlone) {
  const auto from = parse_cache_from("r.example/a:1,r.example/b");
  ASSERT_EQ(from.size(), 2U);
  EXPECT_EQ(from[1].place, "r.example/b");
  EXPECT_EQ(from[1].type, CacheType::registry);
  EXPECT_EQ(parse_cache_to("r.example/a", "gzip").at(0).mode, CacheMode::min);
}

TEST(CacheOption, ChoosesTheFormOfTheDocument) {
  const auto form = [](const std::string& more) {
    return parse_cache_to("type=registry,ref=r.example/c," + more, "gzip").at(0).form;
  };
  EXPECT_FALSE(form("image-manifest=false").image_manifest);
  EXPECT_EQ(form("image-manifest=false").family, oci::Family::oci);
  EXPECT_FALSE(form("oci-mediatypes=false").image_manifest);
  EXPECT_EQ(form("oci-mediatypes=false").family, oci::Family::docker);
  EXPECT_TRUE(has(error_of_to("type=local,dest=d,oci-mediatypes=false,image-manifest=true"),
                  "needs oci-mediatypes=true"));
}

TEST(CacheOption, RefusesOtherTypesByName) {
  for (const std::string type : {"gha", "s3", "azblob"}) {
    EXPECT_TRUE(has(error_of_to("type=" + type + ",bucket=b"), type + " is not implemented"));
    EXPECT_TRUE(has(error_of_from("type=" + type), type + " is not implemented"));
  }
  EXPECT_TRUE(has(error_of_from("type=ftp,ref=x"), "unknown cache type 'ftp'"));
  EXPECT_TRUE(has(error_of_from("type=inline"), "type=registry,ref=IMAGE"));
}

TEST(CacheOption, RefusesWhatItWouldIgnore) {
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,colour=red"), "no attribute 'colour'"));
  EXPECT_TRUE(has(error_of_to("type=registry"), "it needs ref="));
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,mode=most"), "mode is min or max"));
  EXPECT_TRUE(has(error_of_to("type=inline,mode=max"), "mode=min"));
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,ref=b"), "given twice"));
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,ignore-error=maybe"), "true or false"));
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,compression=zstd"), "--compression-format"));
  EXPECT_EQ(error_of_to("type=registry,ref=a,compression=gzip"), "no error");
  EXPECT_TRUE(has(error_of_to("type=registry,ref=a,force-compression=true"), "not implemented"));
  EXPECT_TRUE(has(error_of_from("type=local,src=a,digest=x"), "not a digest"));
  EXPECT_TRUE(has(error_of_from("\"type=local"), "not closed"));
  EXPECT_TRUE(has(error_of_from(""), "empty"));
}

TEST(CacheOption, ReadsDurations) {
  EXPECT_EQ(parse_cache_ttl("90m"), 5400);
  EXPECT_EQ(parse_cache_ttl("1h30m"), 5400);
  EXPECT_EQ(parse_cache_ttl("7d"), 7 * 24 * 3600);
  EXPECT_EQ(parse_cache_ttl("0"), 0);
  EXPECT_EQ(parse_cache_ttl("0s"), 0);
  for (const std::string bad : {"", "h", "5", "5x", "-1h", "99999999999999999999h", "9999999d"})
    EXPECT_THROW(parse_cache_ttl(bad), Error) << bad;
}

}  // namespace
}  // namespace lade::buildcache
