#include "libimage/name/reference.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::size_t kMaxName = 255;  // of registry and repository, with the slash between them
constexpr std::string_view kDefaultRegistry = "docker.io";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); }
bool is_alnum(char c) { return is_lower_alnum(c) || is_upper(c); }

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}
template <typename Predicate>
bool any_of(std::string_view text, Predicate predicate) {
  return std::any_of(text.begin(), text.end(), predicate);
}

[[noreturn]] void fail(std::string_view rule) {
  throw Error(Errc::invalid_argument, std::string(rule));
}

/// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  while (!text.empty()) {
    const auto separator = static_cast<std::size_t>(
        std::find_if_not(text.begin(), text.end(), is_lower_alnum) - text.begin());
    text.remove_prefix(separator);
    if (text.empty()) return true;
    const auto end = static_cast<std::size_t>(
        std::find_if(text.begin(), text.end(), is_lower_alnum) - text.begin());
    const std::string_view between = text.substr(0, end);
    if (between != "." && between != "_" && between != "__" &&
        !all_of(between, [](char c) { return c == '-'; })) {
      return false;
    }
    text.remove_prefix(end);
  }
  return true;
}

void check_repository(std::string_view repository) {
  for (const std::string_view component : split(repository, '/')) {
    if (is_path_component(component)) continue;
    if (component.empty()) fail("the repository's name has an empty component");
    if (is_path_component(lower_case(component))) {
      fail(cat("a repository's name is lower case: ", quoted(lower_case(repository)), "?"));
    }
    fail(cat("component ", quoted(component),
             " of the repository's name: lower-case letters and digits, separated by '.', '_', "
             "'__' or dashes"));
  }
}

/// [a-zA-Z0-9] or [a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9], separated by dots.
bool is_host_name(std::string_view text) {
  const auto labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    return !label.empty() && is_alnum(label.front()) && is_alnum(label.back()) &&
           all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
  });
}

bool is_ipv6_literal(std::string_view text) {
  return text.size() > 4 && text.front() == '[' && text.back() == ']' &&
         all_of(text.substr(1, text.size() - 2), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
         });
}

void check_registry(std::string_view registry) {
  std::string_view host = registry;
  const std::size_t colon = registry.rfind(':');
  if (colon != std::string_view::npos && !registry.ends_with(']')) {
    const std::string_view port_text = registry.substr(colon + 1);
    const auto port = parse_decimal(port_text);
    if (!port || *port == 0 || *port > 65535 || port_text.size() > 5) {
      fail(cat("port ", quoted(port_text), " of the registry: a number from 1 to 65535"));
    }
    host = registry.substr(0, colon);
  }
  if (!is_host_name(host) && !is_ipv6_literal(host)) {
    fail(cat("registry ", quoted(registry), ": a host name or address, with an optional port"));
  }
}

bool names_host(std::string_view component) {
  return component == "localhost" ||
         any_of(component, [](char c) { return c == '.' || c == ':' || is_upper(c); });
}

Tag read_tag(std::string_view text) {
  if (is_tag(text)) return {std::string(text)};
  if (text.empty()) fail("the tag after ':' is empty");
  if (text.size() > 128) fail(cat("a tag has at most 128 characters, this one ", text.size()));
  fail(cat("tag ", quoted(text),
           ": letters, digits, '_', '.' and '-', the first neither '.' nor '-'"));
}

Digest read_digest(std::string_view text) {
  std::optional<Digest> digest = Digest::try_parse(text);
  if (!digest) {
    fail(cat("digest ", quoted(text.substr(0, 200)), ": 'sha256:' and 64 lower-case hex digits"));
  }
  return *std::move(digest);
}

Reference read(std::string_view text) {
  if (text.empty()) fail("the name is empty");
  if (text.find("://") != std::string_view::npos) fail("a reference has no 'scheme://' before it");
  if (text.size() == 64 &&
      all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); })) {
    fail("64 hex digits are a digest, not a repository: put 'NAME@sha256:' before them");
  }
  Reference out;
  std::string_view name = text;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    out.digest = read_digest(name.substr(at + 1));
    name = name.substr(0, at);
  }
  const std::size_t last_slash = name.rfind('/');
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos &&
      (last_slash == std::string_view::npos || colon > last_slash)) {
    out.tag = read_tag(name.substr(colon + 1));
    name = name.substr(0, colon);
  }
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && names_host(name.substr(0, slash))) {
    out.registry = name.substr(0, slash);
    name = name.substr(slash + 1);
    check_registry(out.registry);
    if (out.registry == "index.docker.io") out.registry = kDefaultRegistry;
  } else {
    out.registry = kDefaultRegistry;
  }
  if (name.empty()) fail("the repository's name is empty");
  check_repository(name);
  const bool official =
      out.registry == kDefaultRegistry && name.find('/') == std::string_view::npos;
  out.repository = official ? cat("library/", name) : std::string(name);
  if (const std::size_t size = out.registry.size() + 1 + out.repository.size(); size > kMaxName) {
    fail(cat("registry and repository have ", size, " characters, more than ", kMaxName));
  }
  return out;
}

}  // namespace

bool is_tag(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.front() != '-' &&
         all_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::string to_string(const TagOrDigest& reference) {
  if (const Tag* tag = std::get_if<Tag>(&reference)) return tag->value;
  return std::get<Digest>(reference).str();
}

Reference Reference::parse(std::string_view text) {
  return with_context([&] { return cat("invalid reference ", quoted(text.substr(0, 400))); },
                      [&] { return read(text); });
}

std::optional<Reference> Reference::try_parse(std::string_view text) {
  try {
    return read(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string Reference::str() const {
  std::string out = cat(registry, "/", repository);
  if (tag) out += cat(":", tag->value);
  if (digest) out += cat("@", digest->str());
  return out;
}

TagOrDigest Reference::target() const {
  if (digest) return *digest;
  return tag.value_or(Tag{"latest"});
}

}  // namespace lade
