// lade info: what this machine can do, and why not the rest.
#include <array>
#include <string>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/template/format.h"

#include "tools/common/machine.h"
#include "tools/common/terminal.h"
#include "tools/run/verbs.h"

namespace lade::tools {
namespace {

using templates::Value;

constexpr std::array<OptionSpec, 1> kInfoOptions = {{
    {.name = "format", .value = "FORMAT", .help = "'json', or a Go template"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kGroups = {kInfoOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "What can be done here?", "lade info", "For a script: can limits be set?",
    "lade info --format '{{join .Cgroups.Delegated \" \"}}'"};

Value list_of(const std::vector<Ability>& abilities) {
  templates::ValueList list;
  for (const Ability& ability : abilities) {
    templates::ValueRecord made{.type = "info.Ability"};
    made.fields = {{.name = "Name", .json_name = {}, .value = Value::of(ability.name)},
                   {.name = "Available", .json_name = {}, .value = Value::of(ability.available)},
                   {.name = "Detail", .json_name = {}, .value = Value::of(ability.detail)}};
    list.items.push_back(Value::of(std::move(made)));
  }
  return Value::of(std::move(list));
}

Value document(const Machine& machine) {
  templates::ValueRecord made{.type = "info.Machine"};
  const auto add = [&](std::string name, Value value) {
    made.fields.push_back({.name = std::move(name), .json_name = {}, .value = std::move(value)});
  };
  add("Host", machine.host);
  add("User", machine.user);
  add("Store", machine.store);
  add("Cgroups", machine.cgroups);
  add("Sandbox", list_of(machine.sandbox));
  add("Runtimes", list_of(machine.runtimes));
  add("Network", list_of(machine.network));
  add("Helpers", list_of(machine.helpers));
  add("Platforms", Value::of(machine.platforms));
  return Value::of(std::move(made));
}

std::string words_of(const Value& value) {
  const templates::ValueList* list = value.list();
  if (list == nullptr) return printable(templates::print_value(value));
  std::string out;
  for (const Value& item : list->items)
    out += cat(out.empty() ? "" : " ", printable(templates::print_value(item)));
  return out.empty() ? "none" : out;
}

std::string line(std::string_view indent, std::string name, std::string_view text) {
  constexpr std::size_t kColumn = 30;
  name = cat(indent, name);
  if (name.size() < kColumn) name.append(kColumn - name.size(), ' ');
  std::string out = cat(name, " ", text);
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

std::string record_lines(std::string_view heading, const Value& value) {
  std::string out = cat(heading, "\n");
  for (const auto& member : value.record()->fields)
    out += line("  ", lower_case(member.name), words_of(member.value));
  return out;
}

std::string ability_lines(std::string_view heading, const std::vector<Ability>& abilities) {
  std::string out = cat(heading, "\n");
  for (const Ability& ability : abilities) {
    out += line("  ", ability.name,
                cat(ability.available ? "yes" : "no", ability.detail.empty() ? "" : ": ",
                    printable(ability.detail)));
  }
  return out;
}

std::string text_of(const Machine& machine) {
  return cat(record_lines("host", machine.host), record_lines("user", machine.user),
             record_lines("store", machine.store), record_lines("cgroups", machine.cgroups),
             ability_lines("sandbox", machine.sandbox), ability_lines("runtimes", machine.runtimes),
             ability_lines("network", machine.network), ability_lines("helpers", machine.helpers),
             line("", "platforms", words_of(Value::of(machine.platforms))));
}

int run_info(const Arguments& arguments, const Environment& environment) {
  const auto format = arguments.value("format");
  const Machine machine = examine_machine(environment);
  std::string out;
  if (!format) {
    out = text_of(machine);
  } else if (templates::is_json_format(*format)) {
    out = templates::to_json(document(machine), {.indent = 2}) + "\n";
  } else {
    templates::render_format(*format, {document(machine)}, {}, out);
  }
  print(out);
  return 0;
}

}  // namespace

const VerbSpec kInfoVerb = {
    .name = "info",
    .synopsis = "",
    .summary = "show what this machine can do for containers",
    .description =
        "Tries what containers need (namespaces, overlayfs, control groups, filters) as 'lade "
        "build' "
        "and 'lade run' of this user would, and shows what is there, and of the rest why not and "
        "what would give it.",
    .options = kGroups,
    .examples = kExamples,
    .run = run_info,
    .group = "Run",
};

}  // namespace lade::tools
