"""Definitions that cram in all that Oozie has of one kind: both Airflows have to read what they become."""

from __future__ import annotations

from pathlib import Path

_SCHEDULED = """<coordinator-app xmlns="uri:oozie:coordinator:0.5" name="c-${region}" frequency="${coord:days(1)}" start="2020-01-01T05:30Z" end="2021-01-01T00:00Z" timezone="Europe/Paris">
<controls><timeout>60</timeout><concurrency>2</concurrency><execution>FIFO</execution><throttle>3</throttle></controls>
<datasets>
 <dataset name="h" frequency="${coord:hours(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>/h/${YEAR}${MONTH}${DAY}${HOUR}</uri-template></dataset>
 <dataset name="d" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="America/New_York"><uri-template>/d/${YEAR}/${MONTH}/${DAY}</uri-template><done-flag></done-flag></dataset>
 <dataset name="m" frequency="${coord:months(1)}" initial-instance="2019-01-31T00:00Z" timezone="UTC"><uri-template>/m/${YEAR}-${MONTH}</uri-template><done-flag>${flag}</done-flag></dataset>
 <dataset name="eom" frequency="${coord:endOfMonths(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>/eom/${YEAR}-${MONTH}-${DAY}</uri-template></dataset>
 <dataset name="hc" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>hcat://ms:9083/db/tab/dt=${YEAR}${MONTH}${DAY};region=${region}</uri-template></dataset>
 <dataset name="out" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>hcat://ms:9083/db/outtab/dt=${YEAR}${MONTH}${DAY}</uri-template></dataset>
</datasets>
<input-events>
 <data-in name="i1" dataset="h"><start-instance>${coord:current(-24)}</start-instance><end-instance>${coord:current(-1)}</end-instance></data-in>
 <data-in name="i2" dataset="d"><instance>${coord:latest(0)}</instance></data-in>
 <data-in name="i3" dataset="m"><instance>${coord:offset(-1, "MONTH")}</instance></data-in>
 <data-in name="i4" dataset="eom"><instance>${coord:current(-1)}</instance></data-in>
 <data-in name="i5" dataset="hc"><instance>${coord:current(coord:tzOffset() / 60)}</instance></data-in>
 <data-in name="i6" dataset="h"><start-instance>${coord:absolute("2020-01-01T00:00Z")}</start-instance><end-instance>${coord:current(0)}</end-instance></data-in>
 <data-in name="i7" dataset="h"><start-instance>${coord:latest(-3)}</start-instance><end-instance>${coord:latest(-1)}</end-instance></data-in>
 <data-in name="i8" dataset="d"><start-instance>${coord:future(0,5)}</start-instance><end-instance>${coord:future(2,5)}</end-instance></data-in>
 <data-in name="i9" dataset="d"><start-instance>${coord:current(-(coord:daysInMonth(0)))}</start-instance><end-instance>${coord:current(-1)}</end-instance></data-in>
 <data-in name="i10" dataset="h"><start-instance>${coord:endOfMonths(-1)}</start-instance><end-instance>${coord:current(0)}</end-instance></data-in>
</input-events>

<output-events><data-out name="o1" dataset="out"><instance>${coord:current(0)}</instance></data-out></output-events>
<action><workflow><app-path>${nameNode}/apps/a</app-path><configuration>
<property><name>p1</name><value>${coord:formatTime(coord:dateOffset(coord:nominalTime(), -1, 'DAY'), "yyyy-MM-dd'T'HH:mm")}</value></property>
<property><name>p2</name><value>${coord:formatTime(coord:dateTzOffset(coord:nominalTime(), 'America/Los_Angeles'), 'yyyyMMdd HH')}</value></property>
<property><name>p3</name><value>${coord:epochTime(coord:nominalTime(), 'true')}</value></property>
<property><name>p4</name><value>${coord:dataIn('i1')}</value></property>
<property><name>p5</name><value>${coord:dataInPartitionFilter('i5','pig')} ${coord:dataInPartitionMin('i5','dt')} ${coord:dataInPartitionMax('i5','dt')} ${coord:dataInPartitions('i5','hive-export')} ${coord:databaseIn('i5')} ${coord:tableIn('i5')}</value></property>
<property><name>p6</name><value>${coord:dataOut('o1')} ${coord:dataOutPartitions('o1')} ${coord:dataOutPartitionValue('o1','dt')} ${coord:databaseOut('o1')} ${coord:tableOut('o1')}</value></property>
<property><name>p7</name><value>${coord:user()} ${coord:name()} ${coord:actionId()} ${coord:nominalTime()} ${coord:actualTime()}</value></property>
<property><name>p8</name><value>${coord:dateOffset(coord:dateOffset(coord:nominalTime(), -1, 'MONTH'), 2, 'HOUR')}</value></property>

<property><name>p10</name><value>${coord:formatTime(coord:actualTime(), 'yyyy-DDD')}</value></property>
</configuration></workflow>
<sla:info xmlns:sla="uri:oozie:sla:0.2"><sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-start>${10 * MINUTES}</sla:should-start><sla:should-end>${30 * MINUTES}</sla:should-end><sla:max-duration>${2 * HOURS}</sla:max-duration><sla:alert-events>start_miss,end_miss,duration_miss</sla:alert-events><sla:alert-contact>a@b.c</sla:alert-contact></sla:info>
</action></coordinator-app>"""
_SCHEDULED_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="x"/><action name="x"><shell xmlns="uri:oozie:shell-action:0.3"><exec>echo</exec><argument>${p1}</argument><argument>${p2}</argument><argument>${p3}</argument><argument>${p4}</argument><argument>${p5}</argument><argument>${p6}</argument><argument>${p7}</argument><argument>${p8}</argument><argument>${p10}</argument></shell><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_LOGIC = """<coordinator-app xmlns="uri:oozie:coordinator:0.5" name="c-${region}" frequency="${coord:days(1)}" start="2020-01-01T05:30Z" end="2021-01-01T00:00Z" timezone="Europe/Paris">
<controls><timeout>60</timeout><concurrency>2</concurrency><execution>FIFO</execution><throttle>3</throttle></controls>
<datasets>
 <dataset name="h" frequency="${coord:hours(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>/h/${YEAR}${MONTH}${DAY}${HOUR}</uri-template></dataset>
 <dataset name="d" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="America/New_York"><uri-template>/d/${YEAR}/${MONTH}/${DAY}</uri-template><done-flag></done-flag></dataset>
 <dataset name="m" frequency="${coord:months(1)}" initial-instance="2019-01-31T00:00Z" timezone="UTC"><uri-template>/m/${YEAR}-${MONTH}</uri-template><done-flag>${flag}</done-flag></dataset>
 <dataset name="eom" frequency="${coord:endOfMonths(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>/eom/${YEAR}-${MONTH}-${DAY}</uri-template></dataset>
 <dataset name="hc" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>hcat://ms:9083/db/tab/dt=${YEAR}${MONTH}${DAY};region=${region}</uri-template></dataset>
 <dataset name="out" frequency="${coord:days(1)}" initial-instance="2019-01-01T00:00Z" timezone="UTC"><uri-template>hcat://ms:9083/db/outtab/dt=${YEAR}${MONTH}${DAY}</uri-template></dataset>
</datasets>
<input-events>
 <data-in name="i1" dataset="h"><start-instance>${coord:current(-24)}</start-instance><end-instance>${coord:current(-1)}</end-instance></data-in>
 <data-in name="i2" dataset="d"><instance>${coord:current(-7)}</instance></data-in>
 <data-in name="i3" dataset="m"><instance>${coord:offset(-1, "MONTH")}</instance></data-in>
 <data-in name="i9" dataset="d"><start-instance>${coord:current(-(coord:daysInMonth(0)))}</start-instance><end-instance>${coord:current(-1)}</end-instance></data-in>
</input-events>
<input-logic><or name="x"><and name="y" min="1"><data-in dataset="i1" min="20"/><data-in dataset="i3"/></and><combine name="z" wait="30"><data-in dataset="i2"/><data-in dataset="i9"/></combine></or></input-logic>
<output-events><data-out name="o1" dataset="out"><instance>${coord:current(0)}</instance></data-out></output-events>
<action><workflow><app-path>${nameNode}/apps/a</app-path><configuration>
<property><name>p1</name><value>${coord:formatTime(coord:dateOffset(coord:nominalTime(), -1, 'DAY'), "yyyy-MM-dd'T'HH:mm")}</value></property>
<property><name>p2</name><value>${coord:formatTime(coord:dateTzOffset(coord:nominalTime(), 'America/Los_Angeles'), 'yyyyMMdd HH')}</value></property>
<property><name>p3</name><value>${coord:epochTime(coord:nominalTime(), 'true')}</value></property>
<property><name>p4</name><value>${coord:dataIn('y')}</value></property>
<property><name>p5</name><value>x</value></property>
<property><name>p6</name><value>${coord:dataOut('o1')} ${coord:dataOutPartitions('o1')} ${coord:dataOutPartitionValue('o1','dt')} ${coord:databaseOut('o1')} ${coord:tableOut('o1')}</value></property>
<property><name>p7</name><value>${coord:user()} ${coord:name()} ${coord:actionId()} ${coord:nominalTime()} ${coord:actualTime()}</value></property>
<property><name>p8</name><value>${coord:dateOffset(coord:dateOffset(coord:nominalTime(), -1, 'MONTH'), 2, 'HOUR')}</value></property>
<property><name>p9</name><value>${coord:dataIn('z')} ${coord:dataIn('x')}</value></property>
<property><name>p10</name><value>${coord:formatTime(coord:actualTime(), 'yyyy-DDD')}</value></property>
</configuration></workflow>

</action></coordinator-app>"""
_GLOBAL = """<workflow-app xmlns="uri:oozie:workflow:1.0" name="glob">
<global><resource-manager>${jobTracker}</resource-manager><name-node>${nameNode}</name-node><launcher><memory.mb>1024</memory.mb><vcores>2</vcores><queue>${queue}</queue><view-acl>joe</view-acl></launcher><job-xml>global.xml</job-xml><job-xml>/etc/conf/far.xml</job-xml>
<configuration><property><name>mapreduce.job.queuename</name><value>${queue}</value></property><property><name>g.only</name><value>g</value></property><property><name>both</name><value>global</value></property><property><name>oozie.launcher.mapreduce.map.memory.mb</name><value>9</value></property></configuration></global>
<credentials><credential name="hc" type="hcat"><property><name>hcat.metastore.uri</name><value>thrift://ms:9083</value></property><property><name>hcat.metastore.principal</name><value>hive/_HOST@X</value></property></credential><credential name="hs2" type="hive2"><property><name>hive2.jdbc.url</name><value>jdbc:hive2://h:10000/d</value></property><property><name>hive2.server.principal</name><value>hive/h@X</value></property></credential><credential name="hb" type="hbase"/></credentials>
<start to="f"/>
<fork name="f"><path start="hive"/><path start="spark"/><path start="mr"/><path start="java"/></fork>
<action name="hive" cred="hc" retry-max="3" retry-interval="1" retry-policy="exponential"><hive xmlns="uri:oozie:hive-action:1.0"><launcher><memory.mb>2048</memory.mb><queue>special</queue><java-opts>-Xmx1g</java-opts><env>A=b</env></launcher><job-xml>own.xml</job-xml><configuration><property><name>both</name><value>own</value></property></configuration><script>a.hql</script></hive><ok to="j"/><error to="k"/></action>
<action name="spark" cred="hc,hb" retry-max="2"><spark xmlns="uri:oozie:spark-action:1.0"><configuration><property><name>spark.x</name><value>1</value></property></configuration><master>yarn</master><mode>client</mode><name>s</name><class>a.B</class><jar>b.jar</jar></spark><ok to="j"/><error to="k"/></action>
<action name="mr"><map-reduce><configuration><property><name>mapred.mapper.class</name><value>A</value></property><property><name>both</name><value>own</value></property></configuration></map-reduce><ok to="j"/><error to="k"/></action>
<action name="java" retry-max="${retries}" retry-interval="${interval}"><java><main-class>a.B</main-class><capture-output/></java><ok to="j"/><error to="k"/></action>
<join name="j" to="h2"/>
<action name="h2" cred="hs2"><hive2 xmlns="uri:oozie:hive2-action:1.0"><jdbc-url>jdbc:hive2://h:10000/d</jdbc-url><script>b.hql</script></hive2><ok to="pig"/><error to="k"/></action>
<action name="pig"><pig><script>p.pig</script></pig><ok to="sqoop"/><error to="k"/></action>
<action name="sqoop"><sqoop xmlns="uri:oozie:sqoop-action:1.0"><command>import --connect jdbc:x</command></sqoop><ok to="dc"/><error to="k"/></action>
<action name="dc"><distcp xmlns="uri:oozie:distcp-action:1.0"><arg>/a</arg><arg>/b</arg></distcp><ok to="sh"/><error to="k"/></action>
<action name="sh" retry-max="1" retry-interval="5" retry-policy="periodic"><shell xmlns="uri:oozie:shell-action:1.0"><exec>x</exec></shell><ok to="fs"/><error to="k"/></action>
<action name="fs"><fs><delete path="/x"/></fs><ok to="sub"/><error to="k"/></action>
<action name="sub"><sub-workflow><app-path>${wf:appPath()}/sub</app-path><propagate-configuration/></sub-workflow><ok to="em"/><error to="k"/></action>
<action name="em" retry-max="2"><email xmlns="uri:oozie:email-action:0.2"><to>a@b.c</to><subject>x</subject><body>y</body></email><ok to="end"/><error to="k"/></action>
<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_GLOBAL_CHILD = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="sub"><start to="p"/><action name="p"><pig><script>p.pig</script></pig><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_GLOBAL_FILE = """<configuration><property><name>x.global</name><value>${queue}</value></property><property><name>both</name><value>gfile</value></property></configuration>"""
_FILES = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="files"><start to="sh"/>
<action name="sh"><shell xmlns="uri:oozie:shell-action:0.3"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node>
<exec>run.sh</exec><argument>${day}</argument>
<file>bin/run-v2.sh#run.sh</file><file>${confFile}</file><file>${unknownFile}</file><file>${nameNode}/x/${unk}.txt#u.txt</file>
<file>hdfs://nn:8020/a/b.txt#c.txt,lib/d.jar,rel/e.conf#conf/e.conf</file><file>${many}</file><file>${link}#${linkName}</file>
<archive>arch/env.tar.gz#env</archive><archive>${envZip}</archive></shell><ok to="hive"/><error to="k"/></action>
<action name="hive"><hive xmlns="uri:oozie:hive-action:0.5"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node>
<job-xml>${nameNode}/conf/hive-site.xml</job-xml><script>sql/q.hql#query.hql</script><param>D=${day}</param><file>${confFile}</file><file>udf.jar#my.jar</file><archive>x.zip</archive></hive><ok to="hive2"/><error to="k"/></action>
<action name="hive2"><hive xmlns="uri:oozie:hive-action:0.5"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node>
<script>q.hql</script><file>sql/q-v2.hql#q.hql</file></hive><ok to="pig"/><error to="k"/></action>
<action name="pig"><pig><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><script>s.pig</script><file>${confFile}</file><file>hdfs://nn/p/s-1.pig#s.pig</file></pig><ok to="java"/><error to="k"/></action>
<action name="java"><java><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><main-class>a.B</main-class><file>${confFile}</file><file>${many}</file><archive>${envZip}</archive></java><ok to="mr"/><error to="k"/></action>
<action name="mr"><map-reduce><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><streaming><mapper>m.py</mapper><reducer>r.py</reducer></streaming><file>py/m-1.py#m.py</file><file>${many}</file></map-reduce><ok to="sqoop"/><error to="k"/></action>
<action name="sqoop"><sqoop xmlns="uri:oozie:sqoop-action:0.4"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><command>import --options-file o.txt</command><file>opts/o-1.txt#o.txt</file></sqoop><ok to="spark"/><error to="k"/></action>
<action name="spark"><spark xmlns="uri:oozie:spark-action:0.2"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><master>yarn</master><mode>cluster</mode><name>x</name><jar>main.py</jar><spark-opts>--conf a.b=c</spark-opts><file>src/main-2.py#main.py</file><file>${confFile}</file><file>${many}</file><file>lib/x.jar#y.jar</file></spark><ok to="distcp"/><error to="k"/></action>
<action name="distcp"><distcp xmlns="uri:oozie:distcp-action:0.2"><job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node><arg>${nameNode}/a#b</arg><arg>/c</arg></distcp><ok to="end"/><error to="k"/></action>
<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_WORDS = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="el"><start to="d1"/>
<decision name="d1"><switch>
<case to="a">${wf:conf('my.flag-x') eq 'yes'}</case>
<case to="a">${firstNotNull(wf:conf('opt.in'), 'no') == 'yes'}</case>
<case to="a">${not empty wf:conf('run.mode') and wf:conf('run.mode') ne 'off'}</case>
<case to="a">${concat(wf:conf('a.b'), '-x') eq 'y-x'}</case>
<case to="a">${replaceAll(day, '-', '') gt 20200101}</case>
<case to="a">${wf:run() gt 0}</case>
<case to="a">${wf:user() eq 'root' or wf:group() eq 'hdfs'}</case>
<case to="a">${wf:id() ne ''}</case>
<case to="a">${trim(toLowerCase(mode)) eq 'full'}</case>
<case to="a">${wf:actionData('a')['n'] gt 5}</case>
<case to="a">${wf:name() eq 'el'}</case>
<case to="a">${urlEncode(day) eq 'x'}</case>
<case to="a">${(wf:conf('n.1') + 1) ge 10 ? 'true' : 'false'}</case>
<default to="a"/></switch></decision>
<action name="a"><shell xmlns="uri:oozie:shell-action:0.3"><prepare><delete path="${nameNode}/tmp/${wf:id()}/${timestamp()}"/><mkdir path="${nameNode}/${wf:user()}/${replaceAll(day,'([0-9]+)-([0-9]+)','$2-$1')}"/></prepare><exec>x.sh</exec>
<argument>${wf:conf('my.flag-x')}</argument><argument>${wf:conf("a.b")}</argument><argument>${firstNotNull(wf:conf('opt.in'), firstNotNull(wf:conf('opt2'), 'dflt'))}</argument>
<argument>${concat(concat(wf:user(), '/'), day)}</argument><argument>${urlEncode(concat(day,' &amp;x'))}</argument><argument>${timestamp()}</argument><argument>${wf:group()}</argument><argument>${wf:run()}</argument>
<argument>${toUpperCase(day)}</argument><argument>${appendAll('/a,/b', '/c', ',')}</argument><argument>${1024 * MB}</argument><argument>${2 * 3 + 1}</argument><argument>${7/2}</argument><argument>${7 mod 4}</argument><argument>${unknown.dotted}</argument><argument>${my-hyphen}</argument><argument>${wf:conf('my-hyphen')}</argument>
<capture-output/></shell><ok to="b"/><error to="m"/></action>
<action name="b"><shell xmlns="uri:oozie:shell-action:0.3"><exec>y.sh</exec></shell><ok to="c"/><error to="m"/></action>
<action name="c"><shell xmlns="uri:oozie:shell-action:0.3"><exec>y.sh</exec><argument>${wf:actionExternalId('a')}</argument></shell><ok to="end"/><error to="k2"/></action>
<action name="m"><email xmlns="uri:oozie:email-action:0.2"><to>${wf:conf('mail.to')}</to><subject>${wf:name()} ${wf:id()} ${wf:conf('env-name')}</subject><body>${wf:errorMessage(wf:lastErrorNode())} ${wf:errorCode(wf:lastErrorNode())} ${timestamp()} ${wf:conf('a.b')} ${wf:user()} ${wf:run()} ${replaceAll(day,'-','/')} &lt;b&gt;</body></email><ok to="k"/><error to="k"/></action>
<kill name="k"><message>${wf:name()} failed [${wf:errorMessage(wf:lastErrorNode())}] ${wf:conf('a.b')} ${urlEncode(day)} ${timestamp()}</message></kill><kill name="k2"><message>${wf:id()}</message></kill><end name="end"/></workflow-app>"""
_PROPERTIES = """nameNode=hdfs://nn:8020
jobTracker=rm:8032
region=eu
flag=_DONE
queue=etl
interval=2
retries=2
day=2020-01-02
mode=full
my.flag-x=yes
confFile=/etc/my/app-2.conf#app.conf
many=/m/one.txt#1.txt,/m/two.jar,rel/three.txt
envZip=/e/venv-3.zip#venv
oozie.wf.application.path=${nameNode}/apps/crammed
oozie.suspend.on.nodes=*
"""


def write_crammed(folder: Path) -> None:
    """Write them below a folder, each with the same properties."""
    files = {
        "all/coordinator.xml": _SCHEDULED,
        "all/workflow.xml": _SCHEDULED_WORKFLOW,
        "logic/coordinator.xml": _LOGIC,
        "glob/workflow.xml": _GLOBAL,
        "glob/sub/workflow.xml": _GLOBAL_CHILD,
        "glob/global.xml": _GLOBAL_FILE,
        "files/workflow.xml": _FILES,
        "words/workflow.xml": _WORDS,
    }
    for name, text in files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "job.properties").write_text(_PROPERTIES)
