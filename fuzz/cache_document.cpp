// What is read is written as text that is read as the same value; merging twice changes nothing.
#include "libimage/base/error.h"
#include "libimage/buildcache/cache_option.h"
#include "libimage/buildcache/cache_set.h"

#include "fuzz/property.h"

using namespace lade;

namespace {

void check_document(std::string_view text) {
  buildcache::CacheSet set{.document = oci::parse_cache_document(text)};
  const std::string written = oci::serialise(set.document);
  fuzz::require(oci::parse_cache_document(written) == set.document);
  for (const oci::CacheLayer& layer : set.document.layers)
    set.blobs.emplace(layer.blob, oci::Descriptor{.digest = layer.blob});
  const buildcache::CacheSet once = buildcache::merged(set, {});
  fuzz::require(buildcache::merged(once, set).document == once.document);
  const std::string normal = oci::serialise(once.document);
  fuzz::require(oci::parse_cache_document(normal) == once.document);
  buildcache::CacheSet small = once;
  buildcache::drop_oldest(small, {.bytes = normal.size() / 2}, {});
  (void)oci::parse_cache_document(oci::serialise(small.document));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto guarded = [](const auto& body) {
    try {
      body();
    } catch (const Error& e) {
      fuzz::require(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded ||
                    e.code() == Errc::invalid_argument || e.code() == Errc::unsupported);
    }
  };
  guarded([&] { check_document(text); });
  guarded([&] { (void)oci::parse_cache_records(text, 4); });
  guarded([&] { (void)buildcache::parse_cache_from(text); });
  guarded([&] { (void)buildcache::parse_cache_to(text, "gzip"); });
  return 0;
}
