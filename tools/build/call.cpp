#include "tools/build/call.h"

#include <algorithm>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/lint_build.h"
#include "libimage/build/outline.h"
#include "libimage/oci/json_text.h"

#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

using oci::json_string;

/// `{"name":value,...}` piece by piece; members with an empty value are left out.
class JsonObject {
 public:
  JsonObject& add(std::string_view name, const std::string& json) {
    if (!json.empty()) text_ += cat(text_.empty() ? "" : ",", json_string(name), ":", json);
    return *this;
  }
  JsonObject& text(std::string_view name, std::string_view value) {
    return add(name, value.empty() ? std::string() : json_string(value));
  }
  JsonObject& flag(std::string_view name, bool value) {
    return add(name, value ? std::string("true") : std::string());
  }
  [[nodiscard]] std::string str() const { return cat("{", text_, "}"); }

 private:
  std::string text_;
};

template <typename Items, typename ToJson>
std::string json_list(const Items& items, const ToJson& to_json) {
  std::string out = "[";
  for (const auto& item : items) out += cat(out.size() > 1 ? "," : "", to_json(item));
  return out + "]";
}

std::string location(const build::LineRange& lines) {
  return cat(R"({"ranges":[{"start":{"line":)", lines.first, R"(},"end":{"line":)", lines.last,
             "}}]}");
}

void print_json(const JsonObject& object) { print(cat(oci::pretty_json(object.str()), "\n")); }

/// Rows of texts in columns, `gap` blanks between them.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t gap) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += cat(row[i], std::string(widths[i] - row[i].size() + gap, ' '));
    line.erase(std::min(line.find_last_not_of(' ') + 1, line.size()));
    out += cat(line, "\n");
  }
  return out;
}

// --- check

std::string warning_text(const build::SourceText& source, const build::LintWarning& warning) {
  return cat("\nWARNING: ", warning.rule->name, " - ", warning.rule->url, "\n",
             printable(warning.detail), "\n", source.place(warning.lines), "\n",
             source.excerpt(warning.lines), "\n");
}

std::string warning_json(const build::LintWarning& warning) {
  return JsonObject()
      .text("ruleName", warning.rule->name)
      .text("description", warning.rule->description)
      .text("url", warning.rule->url)
      .text("detail", warning.detail)
      .add("location", location(warning.lines))
      .str();
}

void print_check_json(const build::CheckResult& result) {
  JsonObject out;
  out.add("warnings", json_list(result.warnings, warning_json));
  out.add("sources", cat("[",
                         JsonObject()
                             .text("filename", result.source->name())
                             .text("language", "Dockerfile")
                             .text("data", to_base64(result.source->text()))
                             .str(),
                         "]"));
  if (result.error) {
    const std::string text = result.error->what();
    out.add("buildError", JsonObject().text("message", text.substr(0, text.find('\n'))).str());
  }
  print_json(out);
}

int run_check(const Call& call, const build::CheckResult& result) {
  const std::size_t count = result.warnings.size();
  if (call.json) {
    print_check_json(result);
  } else if (count > 0) {
    std::string text = cat("Check complete, ", count,
                           count == 1 ? " warning has" : " warnings have", " been found!\n");
    for (const build::LintWarning& warning : result.warnings)
      text += warning_text(*result.source, warning);
    print(text);
  } else if (!result.error) {
    print("Check complete, no warnings found.\n");
  }
  if (result.error && !call.json) throw Error(*result.error);
  return (result.error || count > 0) && !call.ignore_status ? 1 : 0;
}

// --- outline

std::string mount_json(const build::OutlineMount& mount) {
  return JsonObject()
      .text("name", mount.id)
      .flag("required", mount.required)
      .add("location", location(mount.lines))
      .str();
}

std::string arg_json(const build::OutlineArg& arg) {
  return JsonObject()
      .text("name", arg.name)
      .text("description", arg.description)
      .text("value", arg.value.value_or(""))
      .add("location", location(arg.lines))
      .str();
}

template <typename Items, typename ToJson>
std::string json_list_if_any(const Items& items, const ToJson& to_json) {
  return items.empty() ? std::string() : json_list(items, to_json);
}

std::string sources_json(const build::SourceText& source) {
  return cat("[", json_string(to_base64(source.text())), "]");
}

void print_outline_json(const build::Outline& outline) {
  JsonObject out;
  out.text("name", outline.name).text("description", outline.description);
  out.add("args", json_list_if_any(outline.args, arg_json));
  out.add("secrets", json_list_if_any(outline.secrets, mount_json));
  out.add("ssh", json_list_if_any(outline.agents, mount_json));
  print_json(out.add("sources", sources_json(*outline.source)));
}

std::string mounts_table(std::string_view heading, const std::vector<build::OutlineMount>& mounts) {
  if (mounts.empty()) return {};
  std::vector<std::vector<std::string>> rows = {{std::string(heading), "REQUIRED"}};
  for (const build::OutlineMount& mount : mounts)
    rows.push_back({printable(mount.id), mount.required ? "true" : ""});
  return cat(table(rows, 3), "\n");
}

void print_outline(const build::Outline& outline) {
  std::string text;
  if (!outline.name.empty() || !outline.description.empty()) {
    std::vector<std::vector<std::string>> rows = {
        {"TARGET:", outline.name.empty() ? "(default)" : printable(outline.name)}};
    if (!outline.description.empty())
      rows.push_back({"DESCRIPTION:", printable(outline.description)});
    text += cat(table(rows, 1), "\n");
  }
  if (!outline.args.empty()) {
    std::vector<std::vector<std::string>> rows = {{"BUILD ARG", "VALUE", "DESCRIPTION"}};
    for (const build::OutlineArg& arg : outline.args) {
      rows.push_back(
          {printable(arg.name), printable(arg.value.value_or("")), printable(arg.description)});
    }
    text += cat(table(rows, 3), "\n");
  }
  print(cat(text, mounts_table("SECRET", outline.secrets), mounts_table("SSH", outline.agents)));
}

// --- targets

std::string target_json(const build::TargetInfo& target) {
  return JsonObject()
      .text("name", target.name)
      .flag("default", target.is_default)
      .text("description", target.description)
      .text("base", target.base)
      .text("platform", target.platform)
      .add("location", location(target.lines))
      .str();
}

void print_targets_json(const build::TargetList& list) {
  print_json(JsonObject()
                 .add("targets", json_list(list.targets, target_json))
                 .add("sources", sources_json(*list.source)));
}

void print_targets(const build::TargetList& list) {
  std::vector<std::vector<std::string>> rows = {{"TARGET", "DESCRIPTION"}};
  for (const build::TargetInfo& target : list.targets) {
    std::string name = printable(target.name);
    if (target.is_default) name += name.empty() ? "(default)" : " (default)";
    rows.push_back({std::move(name), printable(target.description)});
  }
  print(table(rows, 3));
}

Call::Method method_of(std::string_view name) {
  if (name == "build") return Call::Method::build;
  if (name == "check" || name == "lint") return Call::Method::check;
  if (name == "outline") return Call::Method::outline;
  if (name == "targets") return Call::Method::targets;
  throw UsageError(cat("option --call takes build, check, outline or targets, not ", quoted(name)));
}

}  // namespace

Call read_call(const Arguments& arguments) {
  Call call;
  if (const auto given = arguments.value("call")) {
    const std::vector<std::string_view> fields = split(*given, ',');
    call.method = method_of(fields[0]);
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const std::string_view field = fields[i];
      if (field == "format=json" || field == "format=text") {
        call.json = field == "format=json";
      } else if (field == "ignorestatus" || field == "ignorestatus=true") {
        call.ignore_status = true;
      } else if (field != "ignorestatus=false") {
        throw UsageError(cat(
            "option --call takes format=json, format=text or ignorestatus=true behind its method, "
            "not ",
            quoted(field)));
      }
    }
  }
  if (arguments.flag("check")) {
    if (arguments.value("call") && call.method != Call::Method::check)
      throw UsageError("option --check is --call=check: give one of them");
    call.method = Call::Method::check;
  }
  return call;
}

int run_call(const Call& call, const build::BuildOptions& options,
             const build::BuildServices& services) {
  switch (call.method) {
    case Call::Method::check:
      return run_check(call, build::check_build(options, services));
    case Call::Method::outline: {
      const build::Outline outline = build::outline_build(options);
      call.json ? print_outline_json(outline) : print_outline(outline);
      break;
    }
    case Call::Method::targets: {
      const build::TargetList list = build::list_targets(options);
      call.json ? print_targets_json(list) : print_targets(list);
      break;
    }
    case Call::Method::build:
      break;
  }
  return 0;
}

}  // namespace lade::tools
