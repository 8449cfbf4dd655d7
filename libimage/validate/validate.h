/// Whether an image keeps to image-spec v1.1.1: its documents, their digests and sizes, and on
/// request the content of its layers. No fault ends the check; each is a Finding.
#pragma once
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/store/store.h"
#include "libimage/validate/finding.h"

namespace lade::validate {

/// Documents and configs read for one report; more only attack checkers.
inline constexpr std::size_t kMaxDocuments = 10'000;
inline constexpr std::size_t kMaxFindings = 10'000;

struct ValidateOptions {
  enum class Layers {
    listed,  ///< not read
    hashed,  ///< read, for digest and size
    deep,    ///< decompressed too: diff IDs, tar entries, whiteouts
  };
  Layers layers = Layers::hashed;
  unsigned jobs = 6;
  std::stop_token stop = {};
};

struct Report {
  std::vector<Finding> findings = {};
  std::uint64_t left_out = 0;  ///< findings beyond the bounds
  std::size_t documents = 0;   ///< manifests, indexes and configs read
  std::size_t blobs = 0;       ///< layers and other blobs read
  std::uint64_t blob_bytes = 0;
  std::uint64_t unpacked_bytes = 0;  ///< deep only
  std::uint64_t entries = 0;         ///< of tars, deep only

  [[nodiscard]] std::size_t count(Severity severity) const noexcept;
};

/// Checks everything that `root` reaches. Failures that belong to the content are findings; others
/// (the network, rights) are thrown. Error{limit_exceeded} beyond kMaxDocuments.
Report validate(Reader& reader, const oci::Descriptor& root, const ValidateOptions& options = {});

/// A line for each finding and one for the whole.
std::string to_text(const Report& report, const std::string& name);
/// docs/inspect.md describes it.
std::string to_json(const Report& report, const std::string& name);
/// SARIF 2.1.0 (OASIS), for what shows findings of other checkers too.
std::string to_sarif(const Report& report, const std::string& name);

}  // namespace lade::validate
