#pragma once
#include <string>

#include "libimage/copy/copy.h"

namespace lade {

/// An image of Docker's schema 2 made from one of schema 1.
struct Schema1Image {
  oci::Document manifest;
  std::string config;
};

/// Makes it. The layers are read, several at a time and each twice as often as a copy needs: schema
/// 1 knows neither their sizes nor their diff IDs.
Schema1Image convert_schema1(const oci::Document& document, Reader& source,
                             const CopyOptions& options);

}  // namespace lade
