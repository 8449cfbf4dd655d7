/// Statements about images: SLSA provenance and SBOMs, as BuildKit attaches them (in-toto), as
/// cosign does (DSSE envelopes), and as plain SPDX or CycloneDX documents.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/image/base_image.h"
#include "libimage/oci/descriptor.h"

namespace lade::image {

/// SBOMs of whole distributions have some ten megabytes.
inline constexpr std::uint64_t kMaxStatementBytes = std::uint64_t{32} * 1024 * 1024;

struct Material {
  std::string uri = {};
  std::map<std::string, std::string> digests = {};  ///< by algorithm
};

/// How an image was built (slsa.dev/provenance, v0.2 and v1).
struct Provenance {
  std::string builder = {};
  std::string build_type = {};
  std::string source = {};    ///< of the Containerfile or the context: a git URL, mostly
  std::string revision = {};  ///< commit
  std::string entry = {};     ///< name of the Containerfile
  std::string started = {}, finished = {};
  std::map<std::string, std::string> arguments = {};  ///< "build-arg:VERSION" and so on
  std::vector<Material> materials = {};
};

struct SbomPackage {
  std::string name = {}, version = {}, license = {}, purl = {};
};
struct Sbom {
  std::string format = {};  ///< "SPDX-2.3", "CycloneDX 1.5"
  std::string tool = {};
  std::vector<SbomPackage> packages = {};
};

struct Statement {
  enum class Kind { provenance, sbom, other };
  Kind kind = Kind::other;
  oci::Descriptor blob;
  std::string predicate_type = {};
  std::string predicate = {};  ///< compact JSON; the whole document where there is no envelope
  std::optional<Provenance> provenance = {};
  std::optional<Sbom> sbom = {};
  std::string problem = {};
};

/// By an in-toto predicate type or a media type.
Statement::Kind statement_kind(std::string_view type) noexcept;

/// Reads `text`, the blob's content, and opens what envelopes are around it. Error{invalid_content}
/// if it is no JSON or nests too deeply. Signatures are not verified.
Statement parse_statement(std::string_view text, std::string_view type);

/// The image that the provenance tells was built on; nullopt where it lists none or several.
std::optional<BaseImage> base_of(const Provenance& provenance);

}  // namespace lade::image
