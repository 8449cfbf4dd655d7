/// Checks of parts of documents. Internal to libimage/validate.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/validate/check_document.h"
#include "libimage/validate/json_check.h"

namespace lade::validate {

/// The descriptor, if digest and size can be used.
std::optional<oci::Descriptor> check_descriptor(Object& in, const std::string& path,
                                                const Notes& notes);
/// Those of the list that can be used.
void check_descriptors(Array* list, const std::string& path, std::string_view rule_id,
                       std::vector<oci::Descriptor>& out, const Notes& notes);
std::optional<Digest> check_digest(const std::string& text, const std::string& path,
                                   const Notes& notes);
/// `annotations` of the object.
void check_annotations(Object& in, const std::string& path, const Notes& notes);
/// `platform` of an index's entry.
void check_platform(Object& entry, const std::string& path, const Notes& notes);
void check_config(Object& in, ConfigFacts& facts, const Notes& notes);

}  // namespace lade::validate
