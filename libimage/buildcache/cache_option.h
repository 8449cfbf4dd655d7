/// The words of --cache-from and --cache-to.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/buildcache/cache_document_form.h"

namespace lade::buildcache {

enum class CacheType {
  registry,
  local,
  inline_config,  ///< in the config of the image itself
};

/// Which steps a cache gets.
enum class CacheMode {
  min,  ///< those whose layers are in the result
  max,  ///< all
};

/// One source of --cache-from.
struct CacheFrom {
  std::string text = {};  ///< as the user wrote it
  CacheType type = CacheType::registry;
  std::string place = {};   ///< reference, or directory
  std::string tag = {};     ///< local: name in the layout's index
  std::string digest = {};  ///< local: instead of a name
};

/// One destination of --cache-to.
struct CacheTo {
  std::string text = {};
  CacheType type = CacheType::registry;
  std::string place = {};
  std::string tag = {};
  CacheMode mode = CacheMode::min;
  CacheForm form = {};
  bool ignore_error = false;  ///< a failure is a warning
  bool reset = false;         ///< replaces what is there instead of adding to it
};

/// Reads "type=registry,ref=REF", "type=local,src=DIR[,tag=TAG|,digest=DIGEST]" or references alone
/// ("REF", "REF,REF"), in the CSV of docker's options. Throws Error{invalid_argument} with the
/// word, Error{unsupported} for types that others have.
std::vector<CacheFrom> parse_cache_from(std::string_view text);

/// Reads "type=registry,ref=REF", "type=local,dest=DIR[,tag=TAG]", "type=inline" with mode=min|max,
/// image-manifest=, oci-mediatypes=, compression=, compression-level=, force-compression=,
/// ignore-error=, reset=, or references alone. A layer is the same bytes in the image and in its
/// caches: compression= must be `codec`, that of the build.
std::vector<CacheTo> parse_cache_to(std::string_view text, std::string_view codec);

/// A duration as Go writes it ("90m", "1h30m", "36h", "7d" too), in seconds. Throws
/// Error{invalid_argument}.
std::int64_t parse_cache_ttl(std::string_view text);

}  // namespace lade::buildcache
