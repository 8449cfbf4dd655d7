/// What is said of an image and attached to it: in-toto statements with a provenance (SLSA v1) or a
/// list of packages (SPDX) as their predicate.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "libimage/build/result_options.h"
#include "libimage/container/root_fs.h"
#include "libimage/digest/digest.h"

namespace lade::build {

inline constexpr const char* kProvenanceType = "https://slsa.dev/provenance/v1";
inline constexpr const char* kSpdxType = "https://spdx.dev/Document";

struct Attestation {
  std::string predicate_type;
  std::string predicate;  ///< JSON
  std::string file_name;  ///< in exported trees
};

/// Something that a build took from outside.
struct Material {
  std::string uri;  ///< a package URL for images
  Digest digest;
  auto operator<=>(const Material&) const = default;
};

/// The package URL of an image called `name` for `platform`: what BuildKit calls subjects and
/// materials. A name that is no reference stays as it is.
std::string image_url(const std::string& name, const oci::Platform& platform);

/// What a provenance tells.
struct ProvenanceFacts {
  ProvenanceOptions options = {};
  std::string file = {};    ///< the Containerfile's name
  std::string text = {};    ///< its text
  std::string target = {};  ///< "": the last stage
  std::map<std::string, std::string> build_args = {};
  std::map<std::string, std::string> labels = {};
  std::vector<std::string> secrets = {};  ///< ids
  std::vector<std::string> agents = {};   ///< ids
  bool context = false;                   ///< there is a build context
  bool hermetic = false;                  ///< no step could reach a network
  oci::Platform builder = {};
  oci::Platform platform = {};  ///< of the image
  std::vector<Material> materials = {};
  std::string started = {}, finished = {};  ///< RFC 3339
};
Attestation provenance(const ProvenanceFacts& facts);

/// The packages of `root` as an attestation. `name` is the image's.
Attestation sbom(const RootFs& root, const std::string& name, const std::string& created,
                 const std::stop_token& stop);

/// The in-toto statement (v0.1, as BuildKit writes it) of `attestation` about `subject`, called by
/// each of `names` ("_" without one).
std::string statement(const Attestation& attestation, const std::vector<std::string>& names,
                      const Digest& subject);

}  // namespace lade::build
