/// What the words of -o, --push and --load ask for.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/result_options.h"
#include "libimage/compress/codec.h"
#include "libimage/oci/media_type.h"

namespace lade::tools {

/// One output, in docker's form (type=…, a directory, "-") or by a transport's name.
struct OutputSpec {
  enum class Type { transport, local, tar, oci, docker, image, registry, dir, cacheonly };
  Type type = Type::transport;
  std::string text = {};  ///< as typed
  std::string dest = {};  ///< path, "-" for standard output; the name, for `transport`
  std::vector<std::string> names = {};  ///< instead of those of -t
  bool push = false;                    ///< of an image
  bool push_by_digest = false;
  bool archive = true;     ///< of an oci output: a tar, or a directory
  std::string codec = {};  ///< "" to keep
  CompressOptions compress = {};
  bool force_compression = false;  ///< also of the base image's layers
  std::optional<oci::Family> family = {};
  std::vector<build::Annotation> annotations = {};
  std::optional<bool> platform_split = {};
  std::string attestation_prefix = {};
  std::optional<bool> rewrite_timestamp = {};
  std::optional<build::AttestationForm> form = {};

  /// True for an image in some container format, false for exported files.
  [[nodiscard]] bool is_image() const {
    return type != Type::local && type != Type::tar && type != Type::cacheonly;
  }
};

/// Reads a word of -o. Throws UsageError, naming a key that the type does not have or a value that
/// cannot be honoured.
OutputSpec parse_output(const std::string& text);

/// The fields of a comma-separated line, quotes as in CSV (RFC 4180). Throws UsageError.
std::vector<std::string> csv_fields(std::string_view option, const std::string& text);

/// "true", "1", "false"…; throws UsageError.
bool parse_switch(std::string_view option, std::string_view key, const std::string& value);

/// "manifest", "index", "manifest-descriptor", "index-descriptor", with "[PLATFORM]" behind it;
/// throws UsageError.
build::Annotation annotation_at(std::string_view option, const std::string& level);

}  // namespace lade::tools
