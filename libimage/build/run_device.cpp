#include "libimage/build/run_device.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

bool truth(std::string_view value) {
  const std::string word = lower_case(value);
  if (word == "true" || word == "1" || word == "t") return true;
  if (word == "false" || word == "0" || word == "f") return false;
  throw Error(Errc::invalid_content,
              cat("RUN --device: required is true or false, not ", quoted(value)));
}

bool is_allowed(const std::string& name, const std::set<std::string>& allowed) {
  if (allowed.contains("*") || allowed.contains(name)) return true;
  const std::string kind = name.substr(0, name.find('='));
  return allowed.contains(kind) || allowed.contains(cat(kind, "=*"));
}

}  // namespace

RunDevice parse_run_device(std::string_view text) {
  RunDevice out;
  for (const std::string_view field : split(text, ',')) {
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::string_view key = field.substr(0, equals);
    const bool has_value = equals < field.size();
    if (key == "required") {
      out.required = !has_value || truth(field.substr(equals + 1));
    } else if (key == "name" && has_value && out.name.empty()) {
      out.name = std::string(field.substr(equals + 1));
    } else if (out.name.empty() && key.find('/') != std::string_view::npos) {
      out.name = std::string(field);
    } else {
      throw Error(Errc::invalid_content,
                  cat("RUN --device is VENDOR/CLASS[=NAME][,required], not ", quoted(text)));
    }
  }
  if (out.name.empty()) throw Error(Errc::invalid_content, "RUN --device needs a name");
  return out;
}

std::vector<sandbox::StepEdits> find_devices(const std::vector<RunDevice>& devices,
                                             const RunOptions& options) {
  std::vector<sandbox::StepEdits> out;
  for (const RunDevice& device : devices) {
    if (!is_allowed(device.name, options.allow_devices))
      throw Error(Errc::denied, cat("--device=", device.name,
                                    " is not allowed: allow it with --allow device, or --allow "
                                    "device=",
                                    device.name));
    auto found = options.find_device ? options.find_device(device.name) : std::nullopt;
    if (!found && device.required)
      throw Error(Errc::not_found, cat("--device=", device.name, ": this machine has none"));
    if (found) out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace lade::build
