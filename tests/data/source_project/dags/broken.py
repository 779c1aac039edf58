from airflow import DAG
import a_package_nobody_has

dag = DAG("never_parsed")
