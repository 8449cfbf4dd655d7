/// An image brought into the local store, to be run.
#pragma once
#include <memory>
#include <stop_token>
#include <string>

#include "libimage/build/build.h"

namespace lade::build {

struct StoredImage {
  oci::Descriptor manifest;
  oci::Platform platform;  ///< of its config
  oci::ExecutionConfig config = {};
  RootFs root;
};

/// Copies what is missing of the image `found`, called `name`, for `platform` into `store`.
/// Throws Error{invalid_content} for what is no container image, Error{not_found} where no platform
/// fits.
StoredImage store_image(LocalStore& store, const ResolvedBase& found, const std::string& name,
                        const oci::Platform& platform, ProgressObserver& observer,
                        const std::stop_token& stop);

}  // namespace lade::build
