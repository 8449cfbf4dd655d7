/// Descriptors as JSON. Internal to libimage/oci.
#pragma once
#include <optional>
#include <string>

#include "libimage/oci/descriptor.h"
#include "libimage/oci/json_reader.h"

namespace lade::oci {

Descriptor read_descriptor(json::Value& value, const std::string& path);
std::optional<Annotations> read_annotations(json::ObjectReader& object);
/// The member `name` as a media type; "" if it is absent, null or empty.
MediaType read_media_type(json::ObjectReader& object, std::string_view name);
std::string write_descriptor(const Descriptor& descriptor);

}  // namespace lade::oci
