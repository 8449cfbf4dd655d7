/// What follows an instruction's keyword, taken apart: flags, words, pairs, JSON lists.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade::build {

/// A leading `--name[=value]`.
struct Flag {
  std::string name;
  std::optional<std::string> value = {};
  bool operator==(const Flag&) const = default;
};

/// Takes the leading flags off `arguments`; quotes and escapes inside them are processed. `--`
/// alone ends them.
std::vector<Flag> take_flags(std::string& arguments, char escape);

/// Words split at blanks outside quotes; quotes and escapes stay in the words, for the Expander.
std::vector<std::string> quoted_words(std::string_view text, char escape);

/// Words split at blanks, quotes or not.
std::vector<std::string> plain_words(std::string_view text);

/// name=value, still with quotes.
struct Pair {
  std::string name;
  std::string value;
  bool operator==(const Pair&) const = default;
};

/// "k=v k=v ..." or the old form "k rest of the line". Throws Error{invalid_content}.
std::vector<Pair> pairs_of(std::string_view text, char escape, std::string_view keyword);

/// The strings of `text` if it is one JSON array of strings and nothing else; nullopt if it is not
/// valid JSON (BuildKit then reads the shell form). A valid array with other members throws
/// Error{invalid_content}.
std::optional<std::vector<std::string>> json_strings(std::string_view text);

/// `text` as Go prints it with %q, between double quotes.
std::string double_quoted(std::string_view text);

/// `words` as Go prints a list with %q: ["a" "b"].
std::string quoted_list(const std::vector<std::string>& words);

}  // namespace lade::build
