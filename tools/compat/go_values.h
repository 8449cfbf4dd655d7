/// Values of Go programs' documents as templates and JSON of theirs show them.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "libimage/template/value.h"

namespace lade::tools::compat {

templates::Value text(const std::string& value);

/// Go's nil slice where there is nothing.
templates::Value texts(const std::vector<std::string>& values);

/// Go's nil map where there is nothing.
templates::Value labels(const std::map<std::string, std::string>& values);

/// RFC 3339; nil where it is no time.
templates::Value time(const std::string& spelled);

}  // namespace lade::tools::compat
