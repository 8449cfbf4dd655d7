// lade waste IMAGE
#include "libimage/files/waste.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

#include "tools/common/output_file.h"
#include "tools/common/terminal.h"
#include "tools/inspect/image_view.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 8> kWasteOptions = {{
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the image of an index for this platform instead of the machine's"},
    {.name = "all", .letter = 'a', .help = "the images of all platforms of an index"},
    {.name = "max-wasted", .value = "SIZE", .help = "fail if more is wasted: 20MB, 1.5GiB"},
    {.name = "min-efficiency",
     .value = "FRACTION",
     .help = "fail if the part of the content that shows is smaller: 0.95, 95%"},
    {.name = "ci",
     .help = "fail by dive's rules and figures: those of .dive-ci here, or its defaults"},
    {.name = "ci-config", .value = "FILE", .help = "the same with the rules of this file"},
    {.name = "top", .value = "N", .help = "how many files and duplicates to list; 20 by default"},
    {.name = "json", .help = "one JSON object"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kWasteOptions, kRegistryOptions,
                                                                kPlaceOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "What an image carries in vain, layer by layer",
    "lade waste docker://registry.example/app:1.0",
    "Fail a CI job over 20 MB of it",
    "lade waste --max-wasted 20MB --min-efficiency 0.95 app",
    "With the rules that a project has for dive",
    "lade waste --ci app",
};
constexpr std::uint64_t kMaxRulesBytes = std::uint64_t{64} << 10U;

std::string percent(double fraction) {
  const auto hundredths = static_cast<std::uint64_t>(fraction * 10000 + 0.5);
  return cat(hundredths / 100, ".", hundredths % 100 < 10 ? "0" : "", hundredths % 100, " %");
}

struct Rules {
  std::optional<std::uint64_t> max_wasted = {};
  std::optional<double> min_efficiency = {};
  std::optional<files::DiveRules> dive = {};
};

Rules rules_of(const Arguments& arguments) {
  Rules rules;
  if (const auto text = arguments.value("max-wasted")) {
    rules.max_wasted = files::parse_size(*text);
    if (!rules.max_wasted) throw UsageError(cat("--max-wasted ", quoted(*text), " is no size"));
  }
  if (const auto text = arguments.value("min-efficiency")) {
    rules.min_efficiency = files::parse_fraction(*text);
    if (!rules.min_efficiency) {
      throw UsageError(cat("--min-efficiency ", quoted(*text), " is not between 0 and 1"));
    }
  }
  const auto config = arguments.value("ci-config");
  if (config || arguments.flag("ci")) {
    const std::string path = config.value_or(".dive-ci");
    rules.dive = files::DiveRules{};
    try {
      const std::string text = read_input(path, kMaxRulesBytes);
      rules.dive =
          with_context([&] { return quoted(path); }, [&] { return files::parse_dive_rules(text); });
    } catch (const Error& e) {
      if (config || e.code() != Errc::not_found) throw;
    }
  }
  return rules;
}

/// The rules that are broken, a sentence each.
std::vector<std::string> broken(const Rules& rules, const files::Waste& waste) {
  std::vector<std::string> out;
  if (rules.max_wasted && waste.wasted > *rules.max_wasted) {
    out.push_back(
        cat(human_size(waste.wasted), " are wasted, more than ", human_size(*rules.max_wasted)));
  }
  if (rules.min_efficiency && waste.efficiency() < *rules.min_efficiency) {
    out.push_back(cat("efficiency ", percent(waste.efficiency()), " is less than ",
                      percent(*rules.min_efficiency)));
  }
  if (!rules.dive) return out;
  const files::DiveRules& dive = *rules.dive;
  if (dive.lowest_efficiency && waste.dive.score < *dive.lowest_efficiency) {
    out.push_back(cat("lowestEfficiency: ", percent(waste.dive.score), " is less than ",
                      percent(*dive.lowest_efficiency)));
  }
  if (dive.highest_wasted_bytes && waste.dive.wasted_bytes > *dive.highest_wasted_bytes) {
    out.push_back(cat("highestWastedBytes: ", human_size(waste.dive.wasted_bytes),
                      " are more than ", human_size(*dive.highest_wasted_bytes)));
  }
  if (dive.highest_user_wasted_percent &&
      waste.dive.user_wasted_percent > *dive.highest_user_wasted_percent) {
    out.push_back(cat("highestUserWastedPercent: ", percent(waste.dive.user_wasted_percent),
                      " are more than ", percent(*dive.highest_user_wasted_percent)));
  }
  return out;
}

struct Result {
  std::string platform;
  files::Waste waste;
  std::vector<std::string> failures = {};
};

std::string layers_text(const files::Waste& waste, std::size_t width) {
  std::string out = cat(" layer   content    wasted    stored    wasted     hides  made by\n");
  for (std::size_t i = 0; i < waste.layers.size(); ++i) {
    const files::Waste::Layer& layer = waste.layers[i];
    std::string line = padded_left(cat(i + 1), 6);
    for (const std::uint64_t size :
         {layer.content, layer.wasted, layer.stored, layer.wasted_stored, layer.hides}) {
      line += padded_left(human_size(size), 10);
    }
    line += cat("  ", printable(layer.created_by));
    if (line.size() > width) line.resize(width);
    out += cat(line, "\n");
  }
  return out;
}

std::string text_of(const Result& result, std::size_t width) {
  const files::Waste& waste = result.waste;
  std::string out =
      cat(result.platform, ": ", human_size(waste.wasted), " of ", human_size(waste.content),
          " wasted (stored: ", human_size(waste.wasted_stored), " of ", human_size(waste.stored),
          "), efficiency ", percent(waste.efficiency()), "\n", "dive counts: efficiency ",
          percent(waste.dive.score), ", wasted ", human_size(waste.dive.wasted_bytes), ", user ",
          percent(waste.dive.user_wasted_percent), "\n\n", layers_text(waste, width));
  if (!waste.files.empty()) {
    out += "\n    wasted  copies  file\n";
    for (const files::Waste::File& file : waste.files) {
      out += cat(padded_left(human_size(file.wasted), 10), padded_left(cat(file.copies), 8), "  /",
                 printable(file.path), file.remains ? "" : "  (deleted)", "\n");
    }
  }
  if (!waste.duplicates.empty()) {
    out += cat("\nThe same content in several layers, ", human_size(waste.duplicated),
               " that one copy each would save:\n");
    for (const files::Waste::Duplicate& duplicate : waste.duplicates) {
      out += cat(padded_left(human_size(duplicate.excess()), 10), "  ");
      for (std::size_t i = 0; i < duplicate.paths.size() && i < 4; ++i) {
        out += cat(i == 0 ? "/" : ", /", printable(duplicate.paths[i]));
      }
      out += cat(duplicate.paths.size() > 4 ? ", ..." : "", "\n");
    }
  }
  for (const std::string& failure : result.failures) out += cat("\nFAIL ", failure, "\n");
  return out;
}

std::string number_text(double value) { return cat(value); }

std::string layer_json(const files::Waste::Layer& layer) {
  return cat("{\"digest\":", oci::json_string(layer.digest), ",\"content\":", layer.content,
             ",\"wasted\":", layer.wasted, ",\"stored\":", layer.stored,
             ",\"wastedStored\":", layer.wasted_stored, ",\"hides\":", layer.hides,
             ",\"createdBy\":", oci::json_string(layer.created_by), "}");
}

std::string json_of(const Result& result) {
  const files::Waste& waste = result.waste;
  const auto list = [](const auto& items, const auto& text) {
    std::string out = "[";
    for (const auto& item : items) out += cat(out.size() == 1 ? "" : ",", text(item));
    return out + "]";
  };
  return cat(
      "{\"platform\":", oci::json_string(result.platform), ",\"content\":", waste.content,
      ",\"wasted\":", waste.wasted, ",\"stored\":", waste.stored,
      ",\"wastedStored\":", waste.wasted_stored,
      ",\"efficiency\":", number_text(waste.efficiency()), ",\"duplicated\":", waste.duplicated,
      ",\"dive\":{\"efficiencyScore\":", number_text(waste.dive.score),
      ",\"wastedBytes\":", waste.dive.wasted_bytes,
      ",\"userWastedPercent\":", number_text(waste.dive.user_wasted_percent),
      "},\"layers\":", list(waste.layers, layer_json), ",\"files\":",
      list(waste.files,
           [](const files::Waste::File& file) {
             return cat("{\"path\":", oci::json_string(cat("/", file.path)),
                        ",\"wasted\":", file.wasted, ",\"copies\":", file.copies,
                        ",\"remains\":", file.remains ? "true" : "false", "}");
           }),
      ",\"duplicates\":",
      list(waste.duplicates,
           [&](const files::Waste::Duplicate& duplicate) {
             return cat(
                 "{\"digest\":", oci::json_string(duplicate.digest), ",\"size\":", duplicate.size,
                 ",\"paths\":",
                 list(duplicate.paths,
                      [](const std::string& path) { return oci::json_string(cat("/", path)); }),
                 "}");
           }),
      ",\"failures\":", list(result.failures, oci::json_string), "}");
}

/// The platforms to look at: "" for what --platform or the machine says.
std::vector<std::string> platforms_of(const Arguments& arguments, OneSide& side,
                                      const std::string& name) {
  if (!arguments.flag("all")) return {""};
  const OpenedImage image = open_image(name, *side.session, side.stores, Reading::surely);
  const oci::Document root = image.reader->document(image.root);
  const auto* index = std::get_if<oci::Index>(&root.parsed);
  if (index == nullptr) return {""};
  std::vector<std::string> out;
  for (const oci::Descriptor& entry : index->manifests) {
    if (!entry.platform || entry.platform->os == "unknown") continue;
    std::string platform =
        cat(entry.platform->os, "/", entry.platform->architecture,
            entry.platform->variant.empty() ? "" : cat("/", entry.platform->variant));
    if (std::find(out.begin(), out.end(), platform) == out.end()) {
      out.push_back(std::move(platform));
    }
  }
  if (out.empty()) throw Error(Errc::not_found, "the index lists no platform");
  return out;
}

Result look_at(const Arguments& arguments, OneSide& side, const std::string& platform,
               const Rules& rules) {
  ImageView view(arguments, side, arguments.positional().front(),
                 files::ImageFilesOptions::Tables::verified, platform);
  const oci::ImageConfig config = view.config();
  const auto top = static_cast<std::size_t>(arguments.number("top", 0, 100'000).value_or(20));
  Result result{
      .platform = oci::to_string(config.platform()),
      .waste = files::find_waste(*view.files, config, {.max_files = top, .max_duplicates = top})};
  result.failures = broken(rules, result.waste);
  return result;
}

int run_waste(const Arguments& arguments, const Environment& environment) {
  if (arguments.flag("all") && arguments.flag("platform")) {
    throw UsageError("--all and --platform contradict each other");
  }
  const Rules rules = rules_of(arguments);
  OneSide side(arguments, environment);
  const std::string& name = arguments.positional().front();
  bool failed = false;
  std::string json;
  with_context([&] { return cat("waste ", printable(name)); },
               [&] {
                 for (const std::string& platform : platforms_of(arguments, side, name)) {
                   const Result result = look_at(arguments, side, platform, rules);
                   failed = failed || !result.failures.empty();
                   if (arguments.flag("json")) {
                     json += cat(json.empty() ? "{\"images\":[" : ",", json_of(result));
                   } else {
                     const std::size_t width = is_terminal(Stream::output)
                                                   ? terminal_width(Stream::output, 80)
                                                   : std::string::npos;
                     print(text_of(result, width));
                   }
                 }
                 if (!json.empty()) print(cat(oci::pretty_json(cat(json, "]}")), "\n"));
               });
  return failed ? 1 : 0;
}

}  // namespace

const VerbSpec kWasteVerb = {
    .name = "waste",
    .synopsis = "IMAGE",
    .summary = "show the bytes that an image carries in vain",
    .description =
        "Counts the content in the layers of IMAGE that nobody sees, because later layers replace "
        "or "
        "delete it: exactly, by layer and by the history line that made it, unpacked and as "
        "stored; "
        "the worst files; and content that several layers hold.\n\n"
        "The efficiency is the part of the content that shows. dive's figures "
        "(docs/inspect-files.md "
        "has the formula) stand beside it, and are what --ci compares with the rules "
        "lowestEfficiency, "
        "highestWastedBytes and highestUserWastedPercent of a .dive-ci file.\n\n"
        "Exit status 1 if a rule is broken.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_waste,
    .group = "Inspect",
};

}  // namespace lade::tools
