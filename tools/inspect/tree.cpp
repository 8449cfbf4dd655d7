// lade tree [IMAGE...]
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/describe.h"
#include "libimage/image/sharing.h"
#include "libimage/oci/layout.h"

#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/inspect/overview_format.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 3> kTreeOptions = {{
    {.name = "layers", .help = "a line for each layer"},
    {.name = "ascii", .help = "draw the tree in ASCII"},
    {.name = "format", .letter = 'f', .value = "FORMAT", .help = kFormatHelp},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kGroups = {kTreeOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "Which local images share layers",
    "lade tree",
    "What an image is made of and what depends on it",
    "lade tree --layers app",
};

/// Adds every image below `node` under `name`.
void add_stacks(const image::Node& node, const std::string& name, bool of_index,
                std::vector<image::ImageStack>& out) {
  if (node.config && node.config->diff_ids.size() == node.layers.size()) {
    image::ImageStack stack{
        .name = of_index && !node.platform.empty() ? cat(name, " (", node.platform, ")") : name,
        .manifest = node.descriptor.digest};
    for (std::size_t i = 0; i < node.layers.size(); ++i) {
      stack.layers.push_back(
          {.diff_id = node.config->diff_ids[i], .size = node.layers[i].descriptor.size});
    }
    out.push_back(std::move(stack));
  }
  for (const image::Node& child : node.children) add_stacks(child, name, true, out);
}

std::vector<image::ImageStack> local_stacks(LayoutStore& images, const std::stop_token& stop) {
  std::vector<image::ImageStack> stacks;
  for (const oci::Descriptor& entry : images.entries()) {
    const std::string name = entry.annotation(std::string(oci::kRefNameAnnotation));
    const image::Description found = image::describe(images, entry, {.jobs = 4, .stop = stop});
    add_stacks(found.root, name.empty() ? entry.digest.brief() : name, false, stacks);
  }
  return stacks;
}

/// The manifests of the images that were named.
std::vector<Digest> wanted_manifests(const Arguments& arguments, LocalStore& store,
                                     const std::stop_token& stop) {
  std::vector<Digest> out;
  for (const std::string& name : arguments.positional()) {
    const auto found = find_local(store, name);
    if (!found) {
      throw Error(Errc::not_found, cat("tree: no image ", quoted(name), " in the local store"));
    }
    std::vector<image::ImageStack> stacks;
    const image::Description image = image::describe(store.images(), *found, {.stop = stop});
    add_stacks(image.root, name, false, stacks);
    for (const image::ImageStack& stack : stacks) out.push_back(stack.manifest);
  }
  return out;
}

int run_tree(const Arguments& arguments, const Environment& environment) {
  const std::string format = checked_format(arguments);
  const StopOnSignal stop;
  Stores stores(environment);
  LocalStore& store = stores.local();
  image::SharedLayers root = image::shared_layers(local_stacks(store.images(), stop.token()));
  if (!arguments.positional().empty()) {
    root = image::branch_to(root, wanted_manifests(arguments, store, stop.token()));
  }
  if (format != "text") {
    print(formatted(image::to_json(root), format));
    return 0;
  }
  const bool terminal = is_terminal(Stream::output);
  print(image::to_text(root, {.width = terminal ? terminal_width(Stream::output, 80) : 0,
                              .colour = terminal && environment.variable("NO_COLOR").empty() &&
                                        environment.variable("TERM") != "dumb",
                              .ascii = arguments.flag("ascii"),
                              .each_layer = arguments.flag("layers")}));
  return 0;
}

}  // namespace

const VerbSpec kTreeVerb = {
    .name = "tree",
    .synopsis = "[IMAGE...]",
    .summary = "show which local images share which layers, and what depends on what",
    .description =
        "Shows the images of the local store as a tree of layers: images with the same lower "
        "layers have the same branch, and what stands below an image is made from it. With "
        "IMAGEs only their branches are shown: what they are made of, and what depends on them. "
        "Layers are the same by their diff IDs, however they are compressed. JSON has layers "
        "(diffId, size), bytes, images (name, digest) and children.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 0,
    .max_positional = 100,
    .run = run_tree,
    .group = "Inspect",
};

}  // namespace lade::tools
