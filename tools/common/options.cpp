#include "tools/common/options.h"

#include <boost/program_options.hpp>

#include "libimage/base/text.h"

#include "tools/common/foreign_options.h"

namespace lade::tools {
namespace {

namespace po = boost::program_options;

po::options_description describe(const VerbSpec& verb) {
  po::options_description description;
  auto add = description.add_options();
  const auto declare = [&](const OptionSpec& option) {
    const std::string names =
        option.letter != 0 ? cat(option.name, ",", option.letter) : std::string(option.name);
    if (option.value.empty() && !option.optional_value) {
      add(names.c_str(), po::bool_switch()->composing(), "");
    } else if (option.optional_value) {
      add(names.c_str(), po::value<std::string>()->implicit_value("true"), "");
    } else {
      add(names.c_str(), po::value<std::string>(), "");
    }
  };
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) declare(option);
  }
  add("help,h", po::bool_switch(), "");
  return description;
}

const OptionSpec* find_option(const VerbSpec& verb, std::string_view name) {
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) {
      if (option.name == name) return &option;
    }
  }
  return nullptr;
}

std::string unknown_option(const VerbSpec& verb, const std::string& word) {
  std::vector<std::string> known = {"--help"};
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) known.push_back(cat("--", option.name));
  }
  const std::string name = word.substr(0, word.find('='));
  if (verb.name == "build" && name.starts_with("--")) {
    if (const auto reason = why_build_lacks(std::string_view(name).substr(2)))
      return cat("there is no option ", quoted(name), ": ", *reason);
  }
  std::string message = cat("unknown option ", quoted(name));
  if (const auto close = nearest(name, known))
    message += cat("; did you mean ", quoted(*close), "?");
  return message;
}

void check_choice(const OptionSpec& option, const std::string& value) {
  if (option.choices.empty()) return;
  std::string known;
  for (const std::string_view choice : option.choices) {
    if (choice == value) return;
    known += cat(known.empty() ? "" : ", ", choice);
  }
  throw UsageError(cat("option --", option.name, " takes one of ", known, ", not ", quoted(value)));
}

/// An option with an optional value takes it after '=' only: "--referrers" alone is
/// "--referrers=true", whatever follows.
std::vector<std::string> with_values(const VerbSpec& verb, std::vector<std::string> words) {
  for (std::string& word : words) {
    if (word == "--") break;
    if (!word.starts_with("--")) continue;
    const OptionSpec* spec = find_option(verb, std::string_view(word).substr(2));
    if (spec != nullptr && spec->optional_value) word += "=true";
  }
  return words;
}

const OptionSpec* find_letter(const VerbSpec& verb, char letter) {
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) {
      if (option.letter == letter) return &option;
    }
  }
  return nullptr;
}

/// True if `word` is an option whose value is the word after it.
bool takes_next(const VerbSpec& verb, std::string_view word) {
  const bool is_long = word.starts_with("--");
  if (is_long && word.find('=') != std::string_view::npos) return false;
  const OptionSpec* spec = is_long            ? find_option(verb, word.substr(2))
                           : word.size() == 2 ? find_letter(verb, word[1])
                                              : nullptr;
  return spec != nullptr && !spec->value.empty() && !spec->optional_value;
}

/// A command's own words are not the verb's: "--" before them says so to the parser.
std::vector<std::string> with_command(const VerbSpec& verb, std::vector<std::string> words) {
  if (verb.command_after == 0) return words;
  std::size_t positional = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") break;
    if (word.size() > 1 && word.front() == '-') {
      if (takes_next(verb, word)) ++i;
    } else if (++positional == verb.command_after) {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, "--");
      break;
    }
  }
  return words;
}

void check_positional(const VerbSpec& verb, std::size_t count) {
  if (count < verb.min_positional) {
    throw UsageError(cat("too few arguments: expected ", verb.synopsis));
  }
  if (count > verb.max_positional) {
    throw UsageError(verb.max_positional == 0
                         ? std::string("this verb takes no arguments")
                         : cat("too many arguments: expected ", verb.synopsis));
  }
}

}  // namespace

std::string Environment::variable(const std::string& name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

bool Arguments::flag(std::string_view name) const { return values_.contains(name); }

std::optional<std::string> Arguments::value(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::string Arguments::value_or(std::string_view name, std::string_view fallback) const {
  return value(name).value_or(std::string(fallback));
}

const std::vector<std::string>& Arguments::values(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

std::optional<std::uint64_t> Arguments::number(std::string_view name, std::uint64_t low,
                                               std::uint64_t high) const {
  const std::optional<std::string> text = value(name);
  if (!text) return std::nullopt;
  const std::optional<std::uint64_t> parsed = parse_decimal(*text);
  if (!parsed || *parsed < low || *parsed > high) {
    throw UsageError(cat("option --", name, " takes a number from ", low, " to ", high, ", not ",
                         quoted(*text)));
  }
  return parsed;
}

std::optional<bool> Arguments::tri_state(std::string_view name) const {
  const std::optional<std::string> text = value(name);
  if (!text) return std::nullopt;
  if (*text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0") return false;
  throw UsageError(cat("option --", name, " takes true or false, not ", quoted(*text)));
}

Arguments parse_arguments(const VerbSpec& verb, const std::vector<std::string>& given) {
  const std::vector<std::string> words = with_values(verb, with_command(verb, given));
  Arguments parsed;
  try {
    const po::options_description description = describe(verb);
    // No abbreviations: a name that works today must not become ambiguous tomorrow.
    constexpr auto kStyle =
        po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const auto result = po::command_line_parser(words).options(description).style(kStyle).run();
    for (const auto& option : result.options) {
      if (option.position_key >= 0 || option.string_key.empty()) {
        parsed.positional_.insert(parsed.positional_.end(), option.value.begin(),
                                  option.value.end());
        continue;
      }
      const std::string& name = option.string_key;
      const OptionSpec* spec = find_option(verb, name);
      std::vector<std::string>& values = parsed.values_[name];
      const std::string value = option.value.empty() ? "true" : option.value.front();
      if (spec != nullptr) {
        check_choice(*spec, value);
        if (!values.empty() && !spec->repeats && !spec->value.empty()) {
          throw UsageError(cat("option --", name, " is given twice"));
        }
      }
      values.push_back(value);
    }
  } catch (const po::unknown_option& e) {
    throw UsageError(unknown_option(verb, e.get_option_name()));
  } catch (const po::error& e) {
    throw UsageError(lower_case(std::string_view(e.what()).substr(0, 1)) +
                     std::string(e.what()).substr(1));
  }
  if (!parsed.flag("help")) check_positional(verb, parsed.positional_.size());
  return parsed;
}

bool read_truth(std::string_view option, std::string_view key, std::string_view value) {
  if (value.empty() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw UsageError(cat("option --", option, ": ", key, " is true or false, not ", quoted(value)));
}

}  // namespace lade::tools
