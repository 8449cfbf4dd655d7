/// Runs a tree. Internal to libimage/template.
#pragma once
#include <string>
#include <string_view>

#include "libimage/template/parser.h"
#include "libimage/template/template.h"

namespace lade::templates {

void execute_trees(const Trees& trees, const std::string& name, std::string_view source,
                   const Value& data, const Limits& limits, std::string& out);

}  // namespace lade::templates
