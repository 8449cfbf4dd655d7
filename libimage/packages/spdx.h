/// The inventory of a root file system as an SPDX 2.3 document (JSON).
#pragma once
#include <string>

#include "libimage/packages/package.h"

namespace lade::packages {

struct SpdxOptions {
  std::string name = {};     ///< of what is described: an image's name, or "image"
  std::string version = {};  ///< its digest, or ""
  std::string created = {};  ///< RFC 3339
  std::string tool = "lade";
};

/// Pretty-printed; the same inventory and options, the same bytes. The document's namespace is made
/// of its content. Licenses that are no expression of well-known SPDX identifiers stand in a
/// comment, as SPDX allows no others without their text.
std::string spdx_document(const Inventory& inventory, const SpdxOptions& options);

}  // namespace lade::packages
