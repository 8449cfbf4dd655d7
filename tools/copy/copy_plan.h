/// What `lade copy --dry-run` prints.
#pragma once
#include <string>
#include <vector>

#include "libimage/copy/copy.h"

namespace lade::tools {

/// What would happen at one destination.
struct DestinationForecast {
  std::string name;  ///< safe to print
  const CopyPlan* plan = nullptr;
  CopyForecast forecast;
  std::vector<Tag> tags;  ///< for the root
};

/// A table for people.
std::string plan_text(const DestinationForecast& destination);

/// {"source":...,"destinations":[...]} and a line end.
std::string plan_json(const std::string& source,
                      const std::vector<DestinationForecast>& destinations);

}  // namespace lade::tools
