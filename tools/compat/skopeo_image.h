/// The image that a name of several leads to, and its config in the shape of the OCI
/// specification's Go types.
#pragma once
#include <optional>
#include <string_view>

#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/template/value.h"

#include "tools/compat/skopeo_access.h"

namespace lade::tools::compat {

/// The manifest of the image for `wanted`. Throws Fatal with `context` first in the message.
oci::Document manifest_document(const oci::Platform& wanted, const Source& source,
                                std::string_view context);

/// Throws Fatal for the manifest of something other than a container image.
void refuse_artifact(const oci::Document& document);

/// The config, and its part for those who run the image, as Go's encoder sees them.
templates::Value config_value(const oci::ImageConfig& config);
templates::Value execution_value(const std::optional<oci::ExecutionConfig>& given);

}  // namespace lade::tools::compat
