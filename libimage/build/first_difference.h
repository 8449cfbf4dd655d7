/// Where two builds of the same thing differ, for --verify-reproducible.
#pragma once
#include <optional>
#include <string>

#include "libimage/build/build.h"

namespace lade::build {

/// The first difference of two results, for people: "config: history[3].created: ..., ...", "layer
/// 2 (RUN make): usr/bin/x: mtime 1, 2", "…: content differs at byte 17: 0x41, 0x42"; nullopt if
/// the documents that their names would point to are the same. Each result's blobs are read from
/// its own store.
std::optional<std::string> first_difference(LayoutStore& first_store, const BuildResult& first,
                                            LayoutStore& second_store, const BuildResult& second);

}  // namespace lade::build
