// SPDX-License-Identifier: ISC
// Where a flood comes from. Runs in stayd-watch. For the incident's file, which its operators read; never in
// a verdict or an alert.
#include "watch/incident.h"
#include "watch/read_json.h"

#include "base/network.h"

// With less it is no flood's.
#define NETWORK_SHARE_MIN 0.05 // of a second's requests
#define NETWORK_COUNT_MIN 10   // in a second: what is left when the flood ends is a larger share of little

static json_t *find(json_t *networks, const char *text)
{
    size_t at;
    json_t *one;
    json_array_foreach(networks, at, one)
    {
        if (strcmp(read_text(one, "network"), text) == 0) {
            return one;
        }
    }
    return NULL;
}

// "share" and "per_second" are those of its worst second. True when it was not known.
static bool learn(json_t *networks, const struct crowds_network *network, double share)
{
    char text[NETWORK_TEXT_SIZE];
    network_label_text(network->network, text);
    json_t *known = find(networks, text);
    if (known == NULL && json_array_size(networks) < INCIDENT_NETWORKS_MAX) {
        json_array_append_new(networks, json_pack("{s:s, s:f, s:I}", "network", text, "share", share,
                                                  "per_second", (json_int_t)network->count));
        return true;
    }
    if (known != NULL && read_whole(known, "per_second") < network->count) {
        json_object_set_new(known, "share", json_real(share));
        json_object_set_new(known, "per_second", json_integer((json_int_t)network->count));
    }
    return false;
}

bool incident_learn_networks(json_t *incident, const struct crowds *crowds)
{
    struct crowds_network network[INCIDENT_NETWORKS_MAX];
    unsigned found = crowds_networks(crowds, network, INCIDENT_NETWORKS_MAX);
    json_t *networks = read_list(incident, "networks");
    bool fresh = false;
    for (unsigned i = 0; i < found; i++) {
        double share = (double)network[i].count / (double)crowds->total;
        if (share < NETWORK_SHARE_MIN || network[i].count < NETWORK_COUNT_MIN) {
            break;
        }
        if (!json_is_array(networks)) {
            networks = json_array();
            json_object_set_new(incident, "networks", networks);
        }
        fresh = learn(networks, &network[i], share < 1 ? share : 1) || fresh;
    }
    return fresh;
}
