/// The rules of image-spec v1.1.1 on single documents. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/descriptor.h"
#include "libimage/validate/finding.h"

namespace lade::validate {

enum class DocumentKind { manifest, index, config, layout };

/// The kind of a media type: manifests and indexes, OCI's and Docker's, and image configs; nullopt
/// for others, whose content no rule is about.
std::optional<DocumentKind> kind_of(std::string_view media_type) noexcept;

/// What a document points to, as far as its descriptors can be used.
struct Links {
  std::optional<oci::Descriptor> config = {};
  std::vector<oci::Descriptor> layers = {};
  std::vector<oci::Descriptor> manifests = {};
};

/// What a config tells of the layers.
struct ConfigFacts {
  std::vector<std::string> diff_ids = {};
  std::size_t layers_in_history = 0;
  bool has_history = false;
  std::string os = {}, architecture = {};
};

struct CheckedDocument {
  std::vector<Finding> findings = {};
  Links links = {};
  ConfigFacts config = {};
};

/// Every rule that `json` breaks. `media_type` is what its descriptor says, "" if there is none;
/// `place` goes into the findings.
CheckedDocument check_document(DocumentKind kind, std::string_view json,
                               std::string_view media_type, const std::string& place);

}  // namespace lade::validate
