// SPDX-License-Identifier: ISC
// A file that claims to be an incident makes a postmortem, or nothing; never harm.
#include "watch/alert.h"
#include "watch/incident_actions.h"
#include "watch/incident_book.h"
#include "watch/incident_files.h"
#include "watch/postmortem.h"
#include "watch/why_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bytes text;
    static bool ready;
    struct impact impact;
    if (!ready) {
        bytes_init(&text, 4u << 20);
        ready = true;
    }
    json_t *incident = incident_parse(view_of(data, size));
    if (incident == NULL) {
        return 0;
    }
    assert(incident_is_id(view_of_cstr(incident_id(incident))));
    incident_get_impact(incident, &impact);
    incident_actions_propose(incident);
    (void)!incident_action_done(incident, 1, 1);
    incident_tell(incident, 1, "note", "again");
    bytes_reset(&text);
    postmortem_write(&text, incident);
    why_text_write(&text, json_object_get(incident, "verdict"), true);
    json_decref(alert_json("incident_closed", incident, "http://a"));
    json_decref(incident);
    return 0;
}
