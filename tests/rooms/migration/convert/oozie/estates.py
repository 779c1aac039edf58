"""A small estate of our own: a bundle, a coordinator with data, its workflow, and a child."""

from __future__ import annotations

from pathlib import Path

WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="daily-${region}">
  <parameters><property><name>queue</name><value>default</value></property></parameters>
  <global><configuration><property><name>mapreduce.job.queuename</name><value>${queue}</value></property></configuration></global>
  <start to="choose"/>
  <decision name="choose"><switch>
    <case to="both">${fs:exists(concat(nameNode, '/full')) and region eq 'eu'}</case><default to="publish"/></switch></decision>
  <fork name="both"><path start="load"/><path start="count"/></fork>
  <action name="load" retry-max="2" retry-interval="3"><spark xmlns="uri:oozie:spark-action:0.1">
    <job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node>
    <prepare><delete path="${nameNode}/out/${day}"/></prepare>
    <master>yarn</master><mode>cluster</mode><name>load ${day}</name><class>x.Load</class><jar>lib/load.jar</jar>
    <spark-opts>--executor-memory 4G --conf spark.x="a b" --queue ${queue}</spark-opts>
    <arg>--in=${input}</arg><arg>it's {{ plain }}</arg></spark><ok to="joined"/><error to="mail"/></action>
  <action name="count"><shell xmlns="uri:oozie:shell-action:0.3"><exec>count.sh</exec><argument>${day}</argument>
    <env-var>REGION=${region}</env-var><file>bin/count.sh#count.sh</file><capture-output/></shell><ok to="joined"/><error to="mail"/></action>
  <join name="joined" to="publish"/>
  <action name="publish"><sub-workflow><app-path>${wf:appPath()}/child</app-path><propagate-configuration/>
    <configuration><property><name>rows</name><value>${wf:actionData('count')['rows']}</value></property></configuration></sub-workflow>
    <ok to="odd"/><error to="odd"/></action>
  <action name="odd"><mystery xmlns="uri:x"><secret>1</secret></mystery><ok to="end"/><error to="mail"/></action>
  <action name="mail"><email xmlns="uri:oozie:email-action:0.2"><to>team@example.com</to><subject>${wf:lastErrorNode()} of ${wf:id()}</subject>
    <body>failed</body></email><ok to="fail"/><error to="fail"/></action>
  <kill name="fail"><message>failed: ${wf:errorMessage(wf:lastErrorNode())}</message></kill><end name="end"/>
</workflow-app>"""
CHILD = """<workflow-app xmlns="uri:oozie:workflow:0.2" name="child"><start to="clean"/>
  <action name="clean"><fs><mkdir path="${nameNode}/a"/><move source="${nameNode}/a" target="/b"/><chmod path="/b" permissions="-rwxr-x---" dir-files="false"/></fs>
    <ok to="end"/><error to="fail"/></action>
  <kill name="fail"><message>no</message></kill><end name="end"/></workflow-app>"""
COORDINATOR = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="daily" frequency="${coord:days(1)}" start="${start}" end="2026-01-10T04:30Z" timezone="Europe/Paris">
  <controls><timeout>90</timeout><concurrency>2</concurrency><execution>FIFO</execution></controls>
  <datasets><include>${nameNode}/apps/datasets.xml</include></datasets>
  <input-events><data-in name="logs" dataset="logs"><start-instance>${coord:current(-23)}</start-instance><end-instance>${coord:current(0)}</end-instance></data-in>
    <data-in name="users" dataset="users"><instance>${coord:latest(0)}</instance></data-in></input-events>
  <output-events><data-out name="out" dataset="result"><instance>${coord:current(0)}</instance></data-out></output-events>
  <action><workflow><app-path>${nameNode}/apps/daily</app-path><configuration>
    <property><name>day</name><value>${coord:formatTime(coord:dateOffset(coord:nominalTime(), -1, 'DAY'), 'yyyy-MM-dd')}</value></property>
    <property><name>input</name><value>${coord:dataIn('logs')}</value></property></configuration></workflow></action>
</coordinator-app>"""
DATASETS = """<datasets>
  <dataset name="logs" frequency="${coord:hours(1)}" initial-instance="2025-01-01T00:00Z" timezone="UTC">
    <uri-template>${nameNode}/logs/${YEAR}/${MONTH}/${DAY}/${HOUR}</uri-template></dataset>
  <dataset name="users" frequency="${coord:days(1)}" initial-instance="2025-01-01T00:00Z" timezone="UTC">
    <uri-template>/users/${YEAR}${"$"}{MONTH + 0}</uri-template><done-flag/></dataset>
  <dataset name="result" frequency="${coord:days(1)}" initial-instance="2025-01-01T00:00Z" timezone="UTC"><uri-template>/out/${YEAR}</uri-template></dataset>
</datasets>"""
BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="all"><controls><kick-off-time>2026-01-01T00:00Z</kick-off-time></controls>
  <coordinator name="daily" enabled="false"><app-path>${nameNode}/apps/daily/coordinator.xml</app-path>
    <configuration><property><name>start</name><value>${first}</value></property></configuration></coordinator></bundle-app>"""
PROPERTIES = (
    "nameNode = hdfs://cluster\njobTracker=rm:8032\nregion=eu\nfirst=2026-01-01T04:30Z\nstart=2025-06-01T04:30Z\n"
)


def write_estate(folder: Path, *, with_bundle: bool = False) -> Path:
    """Write the files as a team keeps them."""
    files = {
        "apps/daily/workflow.xml": WORKFLOW,
        "apps/daily/coordinator.xml": COORDINATOR,
        "apps/daily/child/workflow.xml": CHILD,
        "apps/datasets.xml": DATASETS,
    }
    files["apps/daily/coordinator.properties"] = PROPERTIES
    if with_bundle:
        files |= {"apps/bundle.xml": BUNDLE, "apps/bundle.properties": PROPERTIES}
    for name, text in files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
